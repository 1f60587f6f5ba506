#!/usr/bin/env bash
# Publishes over HTTP with curl:  publish.sh API_URL CHANNEL TEXT
set -euo pipefail
api=$1 channel=$2 text=$3

# JSON strings, made by hand: backslashes and quotes first, then line breaks.
quote() {
  local s=${1//\\/\\\\}
  s=${s//\"/\\\"}
  printf '"%s"' "${s//$'\n'/\\n}"
}

login=()
[ -n "${LUMESH_USER:-}" ] && login=(--user "$LUMESH_USER")

answer=$(curl --silent --show-error --max-time 10 "${login[@]}" -H 'content-type: application/json' \
  --data-binary "{\"c\":$(quote "$channel"),\"d\":$(quote "$text")}" "$api/v1/mesh/publish")

# {"E":null,"r":{"s":3,"f":0}}
if [[ $answer =~ \"s\":([0-9]+),\"f\":([0-9]+) ]]; then
  echo "http: success ${BASH_REMATCH[1]}, fail ${BASH_REMATCH[2]}"
else
  echo "refused: $answer" >&2
  exit 1
fi
