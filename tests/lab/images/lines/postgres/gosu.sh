#!/bin/sh
# Runs a program as another user, as gosu does: gosu USER PROGRAM [ARGUMENT…].
user=$1
shift
exec setpriv --reuid="$user" --regid="$user" --clear-groups --inh-caps=-all "$@"
