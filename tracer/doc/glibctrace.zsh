#compdef glibctrace
_arguments -S -s \
    '*'{-o,--output}'[write the report there]:report (.txt .json .md .tar.zst):_files' \
    {-t,--trace=-}'[print events live]::set:_values -s , set failed files loader lookups process all' \
    {-k,--stack-trace}'[print a stack under every printed event]' \
    '--for[stop recording after that time]:seconds:' \
    '*-p[attach to a process]:process:_pids' \
    {-u,--user}'[run the command as that user]:user:_users' \
    '*'{-E,--env}'[set or drop a variable]:variable:_parameters -g "*export*"' \
    '--root[read every path inside that root]:directory:_directories' \
    '--minimize[allow the command to be run again]' \
    '--no-repro[do not build and run the reproduction]' \
    '--no-redact[keep home directories, names and secrets]' \
    {-q,--quiet}'[no report on standard error]' \
    '--color[use colours]:when:(auto always never)' \
    '(- *)--help[print a summary]' \
    '(- *)--version[print the version]' \
    '(-):command:_command_names -e' \
    '*::arguments:_normal'
