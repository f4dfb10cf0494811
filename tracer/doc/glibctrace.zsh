#compdef glibctrace
local subcommands=(explain repro diff check libc matrix rollback sandbox verify doctor bundle help)
local options=(
    '*'{-o,--output}'[write the report there]:report (.txt .json .md .html .tar.zst):_files'
    {-t,--trace=-}'[print events live]::set:_values -s , set failed files loader lookups process all'
    {-k,--stack-trace}'[print a stack under every printed event]'
    '--bindings=-[print what symbol references are bound to at the end]::file:_files'
    '--for[stop recording after that time]:seconds:'
    '*'{-p,--attach}'[attach to a process]:process:_pids'
    {-u,--user}'[run the command as that user]:user:_users'
    '*'{-E,--env}'[set or drop a variable]:variable:_parameters -g "*export*"'
    '--seccomp[put a filter on the command]:when:(auto no)'
    '--minimize[run COMMAND again to find which variables and arguments matter]'
    '--no-repro[do not build and run the reproduction]'
    '--no-redact[keep home directories, names and secrets]'
    '--here[explain: FILE tells of this machine]'
    '--root=[explain: look at the files below a directory]:directory:_files -/'
    '--against[check: on that C library]:library:_files'
    '--libcs[matrix: the columns]:list:'
    '--run[verify: the tests that go test runs]:pattern:'
    '--timeout[verify: the limit for each check]:seconds:'
    '--only[verify: only these checks]:list:_values -s , check lsp test dap'
    '--lsp[verify: the language server]:command:_command_names -e'
    '--dap[verify: the debug adapter]:command:_command_names -e'
    '--open[verify: the file that the language server opens]:file:_files'
    '--launch[verify: what the debug adapter launches]:program:_files'
    {-q,--quiet}'[no report on standard error]'
    '--apply[rollback: run what was printed]'
    '--libc=[sandbox: the C library that the copy gets]:root or packages:_files'
    '--tree[libc: all that a process has started as well]'
    '--list[bundle: print what it holds]'
    '--color[use colours]:when:(auto always never)'
    '(- *)'{-?,--help}'[print the options]'
    '(- *)--usage[print a line of the options]'
    '(- *)'{-V,--version}'[print the version]'
)
_glibctrace_words() {
    _alternative "subcommands:subcommand:($subcommands)" 'commands:command:_command_names -e'
}
if (( CURRENT > 2 && $subcommands[(Ie)$words[2]] )); then
    shift words
    (( CURRENT-- ))
    _arguments -S -s $options '*:file:_files'
else
    _arguments -S -s $options '(-): :_glibctrace_words' '*::arguments:_normal'
fi
