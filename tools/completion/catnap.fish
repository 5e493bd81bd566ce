# Completion of the catnap command for fish; made by 'catnap completion fish'.
function __catnap_is
    set -l words (commandline -opc)
    set -l command run
    if set -q words[2]; and contains -- $words[2] run validate inspect wast cache completion help
        set command $words[2]
    end
    test $command = $argv[1]
end
function __catnap_first
    test (count (commandline -opc)) = 1
end
complete -c catnap -n __catnap_first -s V -l version -d 'show the version'
complete -c catnap -n __catnap_first -a run -d 'run a program, or call one of its functions'
complete -c catnap -n '__catnap_is run' -l invoke -x -d 'call this exported function with the arguments, and print its results'
complete -c catnap -n '__catnap_is run' -l dir -x -a '(__fish_complete_directories)' -d 'let the guest use a directory, under the name GUEST (repeatable)'
complete -c catnap -n '__catnap_is run' -l dir-ro -x -a '(__fish_complete_directories)' -d 'the same, read-only (repeatable)'
complete -c catnap -n '__catnap_is run' -l env -x -d 'set a variable for the guest, or hand on the one that is set here (repeatable)'
complete -c catnap -n '__catnap_is run' -l argv0 -x -d 'the name under which the guest sees itself; the file'\''s name otherwise'
complete -c catnap -n '__catnap_is run' -l preload -r -F -d 'first load another module, whose exports the program and later preloads can import from NAME (repeatable)'
complete -c catnap -n '__catnap_is run' -l fuel -x -d 'stop with code 122 once N instructions have been executed'
complete -c catnap -n '__catnap_is run' -l timeout -x -d 'stop with code 124 after this time, such as 2s, 500ms or 1.5m; a number alone means seconds'
complete -c catnap -n '__catnap_is run' -l max-memory -x -d 'bound for all linear memories together, in bytes or with K, M, G, T'
complete -c catnap -n '__catnap_is run' -l max-depth -x -d 'bound for the depth of calls, by default 200000'
complete -c catnap -n '__catnap_is run' -l max-stack -x -d 'bound for the stack of values, by default 64M or what --max-depth needs'
complete -c catnap -n '__catnap_is run' -l unknown-imports -x -a 'trap' -d 'let functions that cannot be imported trap when they are called, instead of refusing the module'
complete -c catnap -n '__catnap_is run' -l eager -d 'translate every function when its module is loaded, not at its first call'
complete -c catnap -n '__catnap_is run' -l lazy -d 'validate modules whole and translate each function at its first call (the default)'
complete -c catnap -n '__catnap_is run' -l deferred -d 'validate and translate each function at its first call; an invalid one then traps'
complete -c catnap -n '__catnap_is run' -l threads -x -d 'validate large modules with so many threads, by default 1'
complete -c catnap -n '__catnap_is run' -l no-cache -d 'validate even what was validated before, and do not remember it'
complete -c catnap -n '__catnap_is run' -l bounds-checks -x -a 'auto explicit' -d 'how memory accesses are checked: by guard pages where possible, or by comparison'
complete -c catnap -n '__catnap_is run' -l stats -d 'when the run has ended, write to standard error what was translated and how long each phase took'
complete -c catnap -n '__catnap_is run' -l profile-ops -d 'count how often each bytecode instruction and each adjacent pair is executed, and write the counts to standard error; many times slower'
complete -c catnap -n '__catnap_is run' -l json -d 'write diagnostics to standard error as JSON, one object a line'
complete -c catnap -n '__catnap_is run' -l help -s h -d 'show this help'
complete -c catnap -n __catnap_first -a validate -d 'check whether modules are valid'
complete -c catnap -n '__catnap_is validate' -l json -d 'write diagnostics to standard error as JSON, one object a line'
complete -c catnap -n '__catnap_is validate' -l help -s h -d 'show this help'
complete -c catnap -n __catnap_first -a inspect -d 'show what a module holds'
complete -c catnap -n '__catnap_is inspect' -l functions -d 'list all functions with their sizes'
complete -c catnap -n '__catnap_is inspect' -l function -x -d 'show one function'\''s WebAssembly and its register bytecode side by side'
complete -c catnap -n '__catnap_is inspect' -l json -d 'write diagnostics to standard error as JSON, one object a line'
complete -c catnap -n '__catnap_is inspect' -l help -s h -d 'show this help'
complete -c catnap -n __catnap_first -a wast -d 'run test scripts (.wast)'
complete -c catnap -n '__catnap_is wast' -l eager -d 'translate every function when its module is loaded'
complete -c catnap -n '__catnap_is wast' -l deferred -d 'validate each function at its first call, or when a module must be refused'
complete -c catnap -n '__catnap_is wast' -l bounds-checks -x -a 'auto explicit' -d 'how memory accesses are checked: by guard pages where possible, or by comparison'
complete -c catnap -n '__catnap_is wast' -l json -d 'write diagnostics to standard error as JSON, one object a line'
complete -c catnap -n '__catnap_is wast' -l help -s h -d 'show this help'
complete -c catnap -n __catnap_first -a cache -d 'look after the cache of validated modules'
complete -c catnap -n '__catnap_is cache' -f -a ' list verify clear'
complete -c catnap -n '__catnap_is cache' -l json -d 'write diagnostics to standard error as JSON, one object a line'
complete -c catnap -n '__catnap_is cache' -l help -s h -d 'show this help'
complete -c catnap -n __catnap_first -a completion -d 'print a completion script for a shell'
complete -c catnap -n '__catnap_is completion' -f -a ' bash zsh fish'
complete -c catnap -n '__catnap_is completion' -l json -d 'write diagnostics to standard error as JSON, one object a line'
complete -c catnap -n '__catnap_is completion' -l help -s h -d 'show this help'
complete -c catnap -n __catnap_first -a help -d 'explain a command, or list all commands and exit codes'
complete -c catnap -n '__catnap_is help' -f -a ' run validate inspect wast cache completion help'
complete -c catnap -n '__catnap_is help' -l json -d 'write diagnostics to standard error as JSON, one object a line'
complete -c catnap -n '__catnap_is help' -l help -s h -d 'show this help'
