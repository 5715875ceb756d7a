#!/usr/bin/env bash
# Put the project itself, in place, into the environment of the given interpreter, and with it the command
# `samr1`: envs/link_project.sh PYTHON
set -euo pipefail
python=${1:?usage: envs/link_project.sh PYTHON}
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
path() { "$python" -c "import sysconfig; print(sysconfig.get_path('$1'))"; }

dirname "$here" | sed 's|$|/src|' > "$(path purelib)/samr1.pth"
command=$(path scripts)/samr1
cat > "$command" <<SCRIPT
#!/bin/sh
exec "$("$python" -c 'import sys; print(sys.executable)')" -m samr1 "\$@"
SCRIPT
chmod +x "$command"
