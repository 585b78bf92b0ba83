#if Production
    import Glibc

    /// The script that starts, signals and restarts the real servers, named by `REAL_STACK`; without it, cases that kill a
    /// server are refused.
    struct RealStack: Sendable {
        let script: String

        static var fromEnvironment: RealStack? { RealWorld.variable("REAL_STACK").map { RealStack(script: $0) } }

        /// Runs one of its commands and waits for the script, though not for servers that it leaves running: those inherit
        /// descriptors, which is why `Foundation.Process` would wait for them. Blocks.
        func run(_ arguments: String...) throws {
            var actions = posix_spawn_file_actions_t()
            posix_spawn_file_actions_init(&actions)
            defer { posix_spawn_file_actions_destroy(&actions) }
            for descriptor in [STDIN_FILENO, STDOUT_FILENO] {
                posix_spawn_file_actions_addopen(&actions, descriptor, "/dev/null", O_RDWR, 0)
            }
            var list = ([script] + arguments).map { strdup($0) } + [nil]
            defer { list.forEach { free($0) } }
            var process = pid_t()
            let spawned = posix_spawn(&process, script, &actions, nil, &list, environ)
            guard spawned == 0 else { throw ContractFailure("\(script) cannot be run: error \(spawned)") }
            var status: Int32 = 0
            while waitpid(process, &status, 0) < 0 && errno == EINTR {}
            guard status == 0 else { throw ContractFailure("\(script) \(arguments) failed with status \(status)") }
        }
    }
#endif
