#!/bin/sh
# The Pythons that a worker can be built for, one path a line: those named in the
# arguments, or with "all" every one in the usual places.  What is left out, and
# why, goes to standard error.
cd "$(dirname "$0")/.." || exit 1

[ "$*" = all ] && set -- /usr/bin/python3.* /usr/local/bin/python3.* \
	"${PYENV_ROOT:-$HOME/.pyenv}"/versions/*/bin/python3.*

for python; do
	case ${python##*/python3.} in
	/*) ;; # named, by another name
	*[!0-9]*) continue ;; # python3.11-config, or nothing matched
	esac
	[ -x "$python" ] || continue
	facts=$("$python" -I src/worker/python_facts.py)
	refused=${facts##*refused=}
	if [ -z "$facts" ]; then
		echo "  E2E     not $python: it does not answer" >&2
	elif [ "$refused" != " " ] && [ -n "$refused" ]; then
		echo "  E2E     not $python: $refused" | tr '^' ' ' >&2
	else
		printf '%s\n' "$python"
	fi
done
