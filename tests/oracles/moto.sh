#!/usr/bin/env bash
# Serves moto (see moto_server.py) in the foreground: prints `export EVENKEEL_MOTO_ENDPOINT=...` once it can be
# reached, and ends when it is killed or when the process that started it is gone.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
"$here/install" moto
# Fixed keys: nothing here may ever reach a real account.
export AWS_ACCESS_KEY_ID=testing AWS_SECRET_ACCESS_KEY=testing AWS_DEFAULT_REGION=us-east-1
exec "$here/../../.tools/moto/bin/python" "$here/moto_server.py"
