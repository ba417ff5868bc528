#!/usr/bin/env bash
# step.sh WHAT COMMAND... runs a command, and says before what it does and after how it went and how long it took.
set -uo pipefail
what=$1
shift
[[ -t 1 ]] && bold=$'\e[1m' plain=$'\e[0m' || bold='' plain=''
echo "${bold}==> $what${plain}"
SECONDS=0
"$@"
result=$?
[[ $result == 0 ]] && how="done" || how="FAILED ($result)"
echo "${bold}<== $what: $how in $SECONDS s${plain}"
exit $result
