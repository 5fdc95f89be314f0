#!/bin/sh
# The Pythons that a worker can be built for, one path a line: those named in the
# arguments, each of which has to be usable, or with "all" every usable one in the
# usual places.  What is left out, and why, goes to standard error.  None: exit 1.
cd "$(dirname "$0")/.." || exit 1
status=0 found=no is_named=yes

if [ "$*" = all ]; then
	is_named=no
	set -- /usr/bin/python3.* /usr/local/bin/python3.* \
		"${PYENV_ROOT:-$HOME/.pyenv}"/versions/*/bin/python3.*
fi

leave_out() {
	echo "  E2E     not $1: $2" | tr '^' ' ' >&2
	[ $is_named = no ] || status=1
}

for name; do
	if [ $is_named = no ]; then
		case ${name##*/python3.} in
		*[!0-9]*) continue ;; # python3.11-config, or nothing matched
		esac
	fi
	if ! python=$(command -v "$name"); then
		leave_out "$name" "no such program"
		continue
	fi
	facts=$("$python" -I src/worker/python_facts.py 2>/dev/null)
	refused=${facts##*refused=}
	if [ -z "$facts" ]; then
		leave_out "$python" "it does not answer"
	elif [ -n "${refused% }" ]; then
		leave_out "$python" "$refused"
	else
		found=yes
		printf '%s\n' "$python"
	fi
done
[ $found = yes ] || echo "  E2E     no Python to test" >&2
[ $found = yes ] && exit $status
exit 1
