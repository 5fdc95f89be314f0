#!/bin/sh
# Runs one fuzz target: run.sh SECONDS TARGET, from the top of the source.  It starts
# from the committed corpus and what earlier runs have found interesting, which is
# kept in build/fuzz/corpus.  Exits with 1 if it found something.
seconds=$1 target=$2
here=tests/fuzz build=build/fuzz
found=$build/found/$target- log=$build/$target.log
mkdir -p $build/corpus/$target $build/found

dictionary=
[ -f $here/$target.dict ] && dictionary=-dict=$here/$target.dict
max_len=1024
[ -f $here/$target.max ] && max_len=$(cat $here/$target.max)

$build/fuzz-$target -max_total_time=$seconds -max_len=$max_len $dictionary \
	-timeout=10 -rss_limit_mb=1024 -print_final_stats=1 -reload=0 \
	-artifact_prefix=$found $build/corpus/$target $here/corpus/$target \
	>$log 2>&1
status=$?

coverage=$(sed -n 's/.*\(cov: [0-9]* ft: [0-9]*\) corp.*/\1/p' $log | tail -1)
executed=$(sed -n 's/^stat::number_of_executed_units: *//p' $log | tail -1)
echo "  FUZZ    $target: $executed runs, $coverage"
if [ $status -ne 0 ]; then
	grep -m 3 -E 'assertion|ERROR|runtime error|Test unit written' $log
	echo "  FUZZ    $target: found something: $log"
	exit 1
fi
