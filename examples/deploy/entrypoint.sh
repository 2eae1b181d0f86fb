#!/bin/sh
# The entry point of a container: the host takes the place of this shell, so that it is process 1, and hears the signals
# that are meant for it.
set -eu

# All addresses of the container, unless somebody says otherwise: by --listen or --unix among the arguments, or by LISTEN.
for argument; do
    case $argument in
        --listen | --listen=* | --unix | --unix=*) exec prefork_http "$@" ;;
    esac
done
exec prefork_http --listen "${LISTEN:-0.0.0.0:8080}" "$@"
