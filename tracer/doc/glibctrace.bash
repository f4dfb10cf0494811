# bash completion for glibctrace
_glibctrace() {
    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} i
    COMPREPLY=()
    # After -- stands a command with its own words.
    for ((i = 1; i < COMP_CWORD; i++)); do
        if [[ ${COMP_WORDS[i]} == -- ]]; then
            if declare -F _command_offset >/dev/null; then
                _command_offset $((i + 1))
            elif ((COMP_CWORD == i + 1)); then
                mapfile -t COMPREPLY < <(compgen -c -- "$cur")
            else
                mapfile -t COMPREPLY < <(compgen -f -- "$cur")
            fi
            return
        fi
    done
    case $prev in
    -o | --output)
        compopt -o filenames
        mapfile -t COMPREPLY < <(compgen -f -- "$cur")
        return
        ;;
    -p | --attach)
        mapfile -t COMPREPLY < <(cd /proc && compgen -W "$(echo [0-9]*)" -- "$cur")
        return
        ;;
    -u | --user)
        mapfile -t COMPREPLY < <(compgen -u -- "$cur")
        return
        ;;
    -E | --env)
        mapfile -t COMPREPLY < <(compgen -e -- "$cur")
        return
        ;;
    --seccomp)
        mapfile -t COMPREPLY < <(compgen -W 'auto no' -- "$cur")
        return
        ;;
    --color)
        mapfile -t COMPREPLY < <(compgen -W 'auto always never' -- "$cur")
        return
        ;;
    --for) return ;;
    --list)
        compopt -o filenames
        mapfile -t COMPREPLY < <(compgen -f -- "$cur")
        return
        ;;
    esac
    case ${COMP_WORDS[1]} in
    explain | repro | diff | bundle | check | matrix)
        local words='-o --output -q --quiet --color --list --help'
        [[ ${COMP_WORDS[1]} == explain ]] && words='-o --output -q --quiet --color --here --root --no-redact --help'
        [[ ${COMP_WORDS[1]} == check ]] && words='-o --output -q --quiet --color --root --against --no-redact --help'
        [[ ${COMP_WORDS[1]} == matrix ]] && words='-o --output -q --quiet --color --libcs --no-redact --help'
        if [[ $prev == --root ]]; then
            compopt -o filenames
            mapfile -t COMPREPLY < <(compgen -d -- "$cur")
        elif [[ $cur == -* ]]; then
            mapfile -t COMPREPLY < <(compgen -W "$words" -- "$cur")
        else
            compopt -o filenames
            mapfile -t COMPREPLY < <(compgen -f -- "$cur")
        fi
        return
        ;;
    doctor)
        if [[ $cur == -* ]]; then
            mapfile -t COMPREPLY < <(compgen -W '-o --output -q --quiet --color --no-redact --help' -- "$cur")
        else
            compopt -o filenames
            mapfile -t COMPREPLY < <(compgen -d -- "$cur")
        fi
        return
        ;;
    sandbox)
        if [[ $prev == --root || $prev == --libc ]]; then
            compopt -o filenames
            mapfile -t COMPREPLY < <(compgen -d -- "$cur")
        elif [[ $cur == -* ]]; then
            mapfile -t COMPREPLY < <(compgen -W '-o --output --libc --root -q --quiet --color --no-redact --help --' -- "$cur")
        else
            compopt -o filenames
            mapfile -t COMPREPLY < <(compgen -f -- "$cur")
        fi
        return
        ;;
    verify)
        if [[ $prev == --only ]]; then
            mapfile -t COMPREPLY < <(compgen -W 'lsp test dap' -- "$cur")
        elif [[ $prev == --@(lsp|dap) ]]; then
            mapfile -t COMPREPLY < <(compgen -c -- "$cur")
        elif [[ $prev == --@(run|timeout) ]]; then
            return
        elif [[ $cur == -* ]]; then
            mapfile -t COMPREPLY < <(compgen -W '--run --timeout --only --lsp --dap --open --launch -E --env -o --output -q
                --quiet --color --no-repro --no-redact --help' -- "$cur")
        else
            compopt -o filenames
            mapfile -t COMPREPLY < <(compgen -f -- "$cur")
        fi
        return
        ;;
    libc)
        if [[ $prev == --root ]]; then
            compopt -o filenames
            mapfile -t COMPREPLY < <(compgen -d -- "$cur")
        elif [[ $cur == -* ]]; then
            mapfile -t COMPREPLY < <(compgen -W '-o --output -q --quiet --color --root --tree --no-redact --help' -- "$cur")
        elif [[ $cur == [0-9]* ]]; then
            mapfile -t COMPREPLY < <(cd /proc && compgen -W "$(echo [0-9]*)" -- "$cur")
        else
            compopt -o filenames
            mapfile -t COMPREPLY < <(compgen -f -- "$cur")
        fi
        return
        ;;
    rollback)
        if [[ $cur == -* ]]; then
            mapfile -t COMPREPLY < <(compgen -W '--apply -o --output -q --quiet --color --no-redact --help' -- "$cur")
        else
            compopt -o filenames
            mapfile -t COMPREPLY < <(compgen -d -- "$cur")
        fi
        return
        ;;
    help)
        mapfile -t COMPREPLY < <(compgen -W 'explain repro diff check libc matrix rollback sandbox verify doctor bundle kinds redaction exit-status' -- "$cur")
        return
        ;;
    esac
    if ((COMP_CWORD == 1)) && [[ $cur != -* ]]; then
        mapfile -t COMPREPLY < <(compgen -W 'explain repro diff check libc matrix rollback sandbox verify doctor bundle help' -- "$cur")
        return
    fi
    mapfile -t COMPREPLY < <(compgen -W '-o --output -t --trace --trace=failed --trace=files --trace=loader
        --trace=lookups --trace=process --trace=all -k --stack-trace --bindings --bindings= --for -p --attach -u --user -E --env
        --seccomp --minimize --no-repro --no-redact
        -q --quiet --color --help --usage --version --' -- "$cur")
}
complete -F _glibctrace glibctrace
