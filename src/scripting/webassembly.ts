/** The part of the global WebAssembly that is used here; Node's types leave it out. */

export interface WasmMemory {
  readonly buffer: ArrayBuffer;
  grow(pages: number): number;
}

export interface WasmInstance {
  readonly exports: Readonly<Record<string, unknown>>;
}

type Imports = Readonly<Record<string, Readonly<Record<string, unknown>>>>;

interface Global {
  readonly Module: { imports(module: object): { readonly module: string; readonly name: string }[] };
  readonly Instance: new (module: object, imports: Imports) => WasmInstance;
  compile(bytes: Uint8Array): Promise<object>;
  instantiate(module: object, imports: Imports): Promise<WasmInstance>;
}
const WebAssembly = (globalThis as unknown as { WebAssembly: Global }).WebAssembly;

export interface WasmModule {
  readonly imports: readonly { readonly module: string; readonly name: string }[];
  readonly compiled: object;
  /** For small modules; large ones go through `instantiate`. */
  instantiateNow(imports: Imports): WasmInstance;
}

export async function compile(bytes: Uint8Array): Promise<WasmModule> {
  const compiled = await WebAssembly.compile(bytes);
  return {
    compiled,
    imports: WebAssembly.Module.imports(compiled),
    instantiateNow: (imports) => new WebAssembly.Instance(compiled, imports),
  };
}

export function instantiate(module: WasmModule, imports: Imports): Promise<WasmInstance> {
  return WebAssembly.instantiate(module.compiled, imports);
}
