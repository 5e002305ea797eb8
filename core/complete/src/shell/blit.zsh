#compdef blit
# Completion of blit for zsh: `source <(blit completions zsh)` after compinit, or put this as _blit into a
# directory of fpath.
function _blit() {
    local -a typed found others goes_on
    local line plain backslash=$'\1' colon=$'\2'
    # The word at the cursor without what opens its quotes.
    typed=("${(@Q)words[1,CURRENT]}")
    typed[CURRENT]="${(Q)PREFIX}"
    found=("${(@f)$( \
        _CLAP_IFS=$'\n' _CLAP_COMPLETE_INDEX=$((CURRENT - 1)) BLIT_COMPLETE=zsh \
        blit -- "${typed[@]}" 2>/dev/null </dev/null \
    )}")
    for line in $found; do
        # Values have their colons and backslashes escaped; behind a bare colon comes what they mean.
        plain=${${line//\\\\/$backslash}//\\:/$colon}
        plain=${${${plain%%:*}//$colon/:}//$backslash/\\}
        # A directory, a machine or a flag with a value goes on.
        if [[ "$plain" == *[/:=] ]]; then
            goes_on+=("$plain")
        else
            others+=("$line")
        fi
    done
    (( $#goes_on )) && compadd -V goes_on -S '' -- $goes_on
    (( $#others )) && _describe -V 'values' others
}
if [[ "$funcstack[1]" == _blit ]]; then
    _blit "$@"
else
    compdef _blit blit
fi
