# Completion of the catnap command for bash; made by 'catnap completion bash'.
_catnap()
{
    local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]}
    local command=run words=
    local -a offer=()
    case ${COMP_WORDS[1]} in
        run|validate|inspect|wast|completion|help) ((COMP_CWORD > 1)) && command=${COMP_WORDS[1]} ;;
    esac
    case $command:$previous in
        run:--invoke) offer=(-W '') ;;
        run:--dir) offer=(-d) ;;
        run:--dir-ro) offer=(-d) ;;
        run:--env) offer=(-W '') ;;
        run:--argv0) offer=(-W '') ;;
        run:--preload) offer=(-f) ;;
        run:--fuel) offer=(-W '') ;;
        run:--timeout) offer=(-W '') ;;
        run:--max-memory) offer=(-W '') ;;
        run:--max-depth) offer=(-W '') ;;
        run:--max-stack) offer=(-W '') ;;
        run:--unknown-imports) offer=(-W 'trap') ;;
        run:--bounds-checks) offer=(-W 'auto explicit') ;;
        inspect:--function) offer=(-W '') ;;
        wast:--bounds-checks) offer=(-W 'auto explicit') ;;
    esac
    case $command in
        run) words=' --invoke --dir --dir-ro --env --argv0 --preload --fuel --timeout --max-memory --max-depth --max-stack --unknown-imports --eager --bounds-checks --stats --stats=text --stats=json --json --help' ;;
        validate) words=' --json --help' ;;
        inspect) words=' --functions --function --json --help' ;;
        wast) words=' --eager --bounds-checks --json --help' ;;
        completion) words=' --json --help bash zsh fish' ;;
        help) words=' --json --help run validate inspect wast completion help' ;;
    esac
    ((COMP_CWORD == 1)) && words+=' --version run validate inspect wast completion help'
    if ((${#offer[@]} == 0)); then
        offer=(-f)
        [[ $current == -* || $command == help || $command == completion ]] && offer=()
        [[ ${#offer[@]} == 0 || $COMP_CWORD == 1 ]] && offer+=(-W "$words")
    fi
    mapfile -t COMPREPLY < <(compgen "${offer[@]}" -- "$current")
}
complete -o filenames -F _catnap catnap
