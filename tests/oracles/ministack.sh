#!/usr/bin/env bash
# Serves MiniStack in the foreground: prints `export EVENKEEL_MINISTACK_ENDPOINT=...` once it answers, and ends when it
# is killed or when the process that started it is gone.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
"$here/install" ministack
exec python3 "$here/ministack.py" "$here/../../.tools/ministack"
