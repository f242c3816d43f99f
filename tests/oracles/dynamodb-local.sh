#!/usr/bin/env bash
# Serves DynamoDB Local in the foreground: prints `export EVENKEEL_DYNAMODB_LOCAL_ENDPOINT=...` once it answers, and
# ends when it is killed or when the process that started it is gone.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
"$here/install" dynamodb-local
exec python3 "$here/dynamodb_local.py" "$here/../../.tools/dynamodb-local"
