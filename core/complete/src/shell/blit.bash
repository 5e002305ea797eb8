# Completion of blit for bash: `source <(blit completions bash)`, or put this into
# ~/.local/share/bash-completion/completions/blit
_blit_complete() {
    # Bash ends words at colons and equal signs, too. What follows without a blank belongs to the word
    # before: nas:/photos is one place.
    local rest="${COMP_LINE:0:COMP_POINT}" words=() word
    for word in "${COMP_WORDS[@]:0:COMP_CWORD+1}"; do
        if [[ ${#words[@]} -eq 0 || "$rest" == [[:blank:]]* ]]; then
            rest="${rest#"${rest%%[![:blank:]]*}"}"
            words+=("")
        fi
        words[${#words[@]}-1]+="${rest:0:${#word}}"
        rest="${rest:${#word}}"
    done

    # Only what follows the last of these will be replaced; within quotes nothing ends a word.
    local current="${words[${#words[@]}-1]}" breaks="${COMP_WORDBREAKS//[^:=]/}" head="" quote=""
    case "$current" in
        [\"\']*) quote="${current:0:1}" current="${current:1}" ;;
        *) [[ -n "$breaks" ]] && head="${current%"${current##*[$breaks]}"}"
            current="${current//\\/}" head="${head//\\/}" ;;
    esac
    words[${#words[@]}-1]="$current"

    local reply end=""
    COMPREPLY=()
    while IFS= read -r reply || [[ -n "$reply" ]]; do
        end="${reply: -1}"
        reply="${reply#"$head"}"
        if [[ -z "$quote" && "$reply" == "~"* ]]; then
            printf -v reply '~%q' "${reply:1}"
        elif [[ -z "$quote" && -n "$reply" ]]; then
            printf -v reply '%q' "$reply"
        fi
        COMPREPLY+=("$reply")
    done < <(
        _CLAP_IFS=$'\n' _CLAP_COMPLETE_INDEX=$((${#words[@]} - 1)) BLIT_COMPLETE=bash \
            blit -- "${words[@]}" 2>/dev/null </dev/null
    )
    # A directory, a machine or a flag with a value goes on.
    compopt +o nospace 2>/dev/null
    if [[ ${#COMPREPLY[@]} -eq 1 && "$end" == [/:=] ]]; then
        compopt -o nospace 2>/dev/null
    fi
}
if [[ "${BASH_VERSINFO[0]}" -eq 4 && "${BASH_VERSINFO[1]}" -ge 4 || "${BASH_VERSINFO[0]}" -gt 4 ]]; then
    complete -o nospace -o bashdefault -o nosort -F _blit_complete blit
else
    complete -o nospace -o bashdefault -F _blit_complete blit
fi
