# SPDX-License-Identifier: MIT
# Completion of socle for bash: source this file, or put it into /usr/share/bash-completion/completions as socle. It
# knows no command by itself: what `socle help COMMAND` says is what it offers.

_socle_commands() {
    socle help | sed -n 's/^  \([^ ]*\) .*/\1/p'
}

_socle_domains() {
    socle list 2>/dev/null | awk 'NR > 1 { print $1 }'
}

_socle_pools() {
    socle cpupool-list 2>/dev/null | awk 'NR > 1 { print $1 }'
}

# What the usage line has at this place (0, 1 ...): DOMAIN, FILE, nmi|reset ... The last one may repeat itself.
_socle_operand() {
    local line=${1%%$'\n'*} words
    line=$(sed 's/^usage: socle [^ ]*//; s/\[-[^]]*\]//g; s/|--[a-z-]*//g; s/[][]//g' <<<"$line")
    read -ra words <<<"$line"
    if (($2 < ${#words[@]})); then
        echo "${words[$2]%...}"
    elif ((${#words[@]})) && [[ ${words[-1]} == *... ]]; then
        echo "${words[-1]%...}"
    fi
}

# What is to follow an option, such as SECONDS; nothing after those that stand alone.
_socle_value() {
    awk -v option="$2" '($1 == option "," || $2 == option) && $3 ~ /^[A-Z]+$/ { print $3 }' <<<"$1"
}

_socle() {
    local current=${COMP_WORDS[COMP_CWORD]} help kind= place=0 i
    COMPREPLY=()
    if ((COMP_CWORD == 1)); then
        mapfile -t COMPREPLY < <(compgen -W "$(_socle_commands)" -- "$current")
        return
    fi
    help=$(socle help "${COMP_WORDS[1]}" 2>/dev/null) || return
    for ((i = 2; i < COMP_CWORD; i++)); do
        kind=
        if [[ ${COMP_WORDS[i]} != -* ]]; then
            ((place++))
        elif kind=$(_socle_value "$help" "${COMP_WORDS[i]}") && [[ $kind ]]; then
            ((i++)) # its value, if that is not what is being typed
        fi
    done
    if ((i == COMP_CWORD)); then
        kind=$(_socle_operand "$help" $place)
    fi
    if [[ $current == -* ]]; then
        kind=$(sed -n 's/^  -., \(--[a-z-]*\).*/\1/p' <<<"$help")
    fi
    case $kind in
    DOMAIN) kind=$(_socle_domains) ;;
    POOL) kind=$(_socle_pools) ;;
    COMMAND) kind=$(_socle_commands) ;;
    FILE)
        compopt -o filenames 2>/dev/null
        mapfile -t COMPREPLY < <(compgen -f -- "$current")
        return
        ;;
    *) kind=$(tr '|' '\n' <<<"$kind" | grep -v '^[A-Z]') ;;
    esac
    mapfile -t COMPREPLY < <(compgen -W "$kind" -- "$current")
}

complete -F _socle socle
