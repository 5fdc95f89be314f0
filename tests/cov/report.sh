#!/bin/sh
# Which lines the tests have come to, of each source file, and which not, after
# "make cov".  Exits with 1 if too few of one of the parsers' (http_*.c) are among
# them.
cd "$(dirname "$0")/../.." || exit 1
least=95
report=build/cov/report

find build/cov -path '*/src/*.gcda' | sort | while read -r counts; do
	gcov -t "$counts" 2>/dev/null
done | awk '
	/:    0:Source:/ {
		file = $0
		sub(/.*Source:/, "", file)
		next
	}
	file !~ /^src\/.*\.c$/ { next }
	{
		split($0, part, ":")
		gsub(/ /, "", part[1])
		gsub(/ /, "", part[2])
	}
	part[1] ~ /^[0-9]/ { lines[file]++; reached[file]++ }
	part[1] ~ /^[#=]/ {
		lines[file]++
		missed[file] = missed[file] " " part[2]
	}
	END {
		for (file in lines)
			printf "%-32s %5.1f %% of %3d, not%s\n", file,
			    100 * reached[file] / lines[file], lines[file],
			    missed[file] != "" ? missed[file] : " one"
	}' | sed 's/, not one$//' | sort >$report

cut -c 1-100 $report
awk -v least=$least '
	/\/http_/ && $2 < least { print $1 ": under " least " %"; failed = 1 }
	END { exit failed }' $report
