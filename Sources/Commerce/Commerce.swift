#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

@main
enum Commerce {
    /// Not async: the signal mask has to be set before the first thread of the pool is started.
    static func main() {
        TerminationSignal.prepare()
        // Detached: a task of this function would wait for the main thread, which waits for the end.
        Task.detached { exit(await CommandLineInterface.run(Array(CommandLine.arguments.dropFirst()), .process)) }
        while true { pause() }
    }
}
