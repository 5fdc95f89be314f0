#!/bin/sh
# What the compiler does not check: format, who may include what, sizes, manual.
# Prints each finding with its place; exits 1 if there is any.
cd "$(dirname "$0")/.." || exit 1
status=0

complain() {
	[ -z "$1" ] && return
	printf '%s\n' "$1"
	status=1
}

sources=$(find src tests bench -name '*.c' -o -name '*.h' | sort)

clang-format --dry-run -Werror $sources || status=1

# The loop's side never sees Python, the Python side never sees the loop.
complain "$(grep -l '<Python\.h>\|"py_' $(grep -l '<event2/' $sources) |
	sed 's/$/: includes both event2 and Python/')"

# style: a file is one noun, a function one thought.
complain "$(awk '
	FNR == 1 { if (name) over(); name = FILENAME; cap = name ~ /\.h$/ ? 150 : 500 }
	{ lines = FNR }
	END { over() }
	function over() {
		if (lines > cap && name !~ /^tests/)
			printf "%s: %d lines, over %d\n", name, lines, cap
	}' $sources)"
complain "$(awk '
	/^\{/ { start = FNR }
	/^\}/ { if (start && FNR - start > 70)
			printf "%s:%d: a function of %d lines\n", FILENAME,
			    start, FNR - start
		start = 0 }' $(printf '%s\n' $sources | grep '\.c$'))"
complain "$(grep -rnwE 'TODO|FIXME|XXX' src)"

# groff and mandoc agree on mdoc that mandoc does not warn of.
mandoc -Tlint -Wwarning man/*.[1-8] || status=1

exit $status
