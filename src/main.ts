#!/usr/bin/env node
/** The command line's entry: runs it, and turns what it ends with into an exit code. */
import { run } from './cli/program.js';

process.exitCode = await run(process.argv.slice(2));
