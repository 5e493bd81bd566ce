# Completion of the catnap command for bash; made by 'catnap completion bash'.
_catnap()
{
    local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]}
    local command=run options= operands=
    local -a offer=()
    local -i first=1
    while ((first < COMP_CWORD)) && [[ ${COMP_WORDS[first]} == --json ]]; do
        first+=1
    done
    case ${COMP_WORDS[first]} in
        run|resume|snapshot|validate|inspect|wast|cache|completion|help) ((COMP_CWORD > first)) && command=${COMP_WORDS[first]} ;;
    esac
    case $command:$previous in
        run:--invoke) offer=(-W '') ;;
        run:--dir) offer=(-d) ;;
        run:--dir-ro) offer=(-d) ;;
        run:--env) offer=(-W '') ;;
        run:--tcplisten) offer=(-W '') ;;
        run:--argv0) offer=(-W '') ;;
        run:--arg) offer=(-W '') ;;
        run:--preload) offer=(-f) ;;
        run:--fuel) offer=(-W '') ;;
        run:--timeout) offer=(-W '') ;;
        run:--max-memory) offer=(-W '') ;;
        run:--max-table-elements) offer=(-W '') ;;
        run:--max-heap) offer=(-W '') ;;
        run:--max-engine-memory) offer=(-W '') ;;
        run:--max-depth) offer=(-W '') ;;
        run:--max-stack) offer=(-W '') ;;
        run:--max-threads) offer=(-W '') ;;
        run:--unknown-imports) offer=(-W 'trap') ;;
        run:--threads) offer=(-W '') ;;
        run:--bounds-checks) offer=(-W 'auto explicit') ;;
        run:--features) offer=(-W '1.0 2.0 3.0 all') ;;
        run:--snapshot-on) offer=(-W '') ;;
        run:--snapshot-every) offer=(-W '') ;;
        run:--output) offer=(-f) ;;
        resume:--invoke) offer=(-W '') ;;
        resume:--dir) offer=(-d) ;;
        resume:--dir-ro) offer=(-d) ;;
        resume:--fuel) offer=(-W '') ;;
        resume:--timeout) offer=(-W '') ;;
        resume:--max-memory) offer=(-W '') ;;
        resume:--max-table-elements) offer=(-W '') ;;
        resume:--max-heap) offer=(-W '') ;;
        resume:--max-engine-memory) offer=(-W '') ;;
        resume:--max-depth) offer=(-W '') ;;
        resume:--max-stack) offer=(-W '') ;;
        resume:--features) offer=(-W '1.0 2.0 3.0 all') ;;
        resume:--snapshot-on) offer=(-W '') ;;
        resume:--snapshot-every) offer=(-W '') ;;
        resume:--output) offer=(-f) ;;
        snapshot:--output) offer=(-f) ;;
        snapshot:--init-func) offer=(-W '') ;;
        snapshot:--rename-func) offer=(-W '') ;;
        snapshot:--dir) offer=(-d) ;;
        snapshot:--dir-ro) offer=(-d) ;;
        snapshot:--env) offer=(-W '') ;;
        snapshot:--preload) offer=(-f) ;;
        snapshot:--arg) offer=(-W '') ;;
        snapshot:--unknown-imports) offer=(-W 'trap') ;;
        snapshot:--fuel) offer=(-W '') ;;
        snapshot:--timeout) offer=(-W '') ;;
        snapshot:--features) offer=(-W '1.0 2.0 3.0 all') ;;
        snapshot:--max-memory) offer=(-W '') ;;
        snapshot:--max-table-elements) offer=(-W '') ;;
        snapshot:--max-heap) offer=(-W '') ;;
        snapshot:--max-engine-memory) offer=(-W '') ;;
        validate:--features) offer=(-W '1.0 2.0 3.0 all') ;;
        inspect:--function) offer=(-W '') ;;
        wast:--bounds-checks) offer=(-W 'auto explicit') ;;
        wast:--features) offer=(-W '1.0 2.0 3.0 all') ;;
    esac
    case $command in
        run)
            options=' --invoke --dir --dir-ro --env --tcplisten --argv0 --arg --preload --fuel --timeout --max-memory --max-table-elements --max-heap --max-engine-memory --max-depth --max-stack --max-threads --unknown-imports --eager --lazy --deferred --threads --no-cache --bounds-checks --features --deterministic --stats --stats=text --stats=json --snapshot-on --snapshot-every --output --compress --profile-ops --json --help'
            operands='' ;;
        resume)
            options=' --invoke --dir --dir-ro --fuel --timeout --max-memory --max-table-elements --max-heap --max-engine-memory --max-depth --max-stack --features --deterministic --snapshot-on --snapshot-every --output --compress --json --help'
            operands='' ;;
        snapshot)
            options=' --to-wasm --output --init-func --rename-func --keep-init-func --dir --dir-ro --env --preload --arg --unknown-imports --fuel --timeout --features --max-memory --max-table-elements --max-heap --max-engine-memory --json --help'
            operands='' ;;
        validate)
            options=' --features --json --help'
            operands='' ;;
        inspect)
            options=' --functions --features --function --json --help'
            operands='' ;;
        wast)
            options=' --eager --deferred --bounds-checks --features --json --help'
            operands='' ;;
        cache)
            options=' --json --help'
            operands=' list verify clear' ;;
        completion)
            options=' --json --help'
            operands=' bash zsh fish' ;;
        help)
            options=' --json --help'
            operands=' run resume snapshot validate inspect wast cache completion help' ;;
    esac
    if ((COMP_CWORD == first)); then
        options+=' --version'
        operands='run resume snapshot validate inspect wast cache completion help'
    fi
    if ((${#offer[@]} == 0)); then
        if [[ $current == -* ]]; then
            offer=(-W "$options")
        elif [[ -n $operands ]]; then
            offer=(-W "$operands")
            ((COMP_CWORD == first)) && offer+=(-f)
        else
            offer=(-f)
        fi
    fi
    mapfile -t COMPREPLY < <(compgen "${offer[@]}" -- "$current")
}
complete -o filenames -F _catnap catnap
