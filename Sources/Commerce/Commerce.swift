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
        Task { exit(await run(Array(CommandLine.arguments.dropFirst()))) }
        while true { pause() }
    }

    /// Runs a command and returns the exit status: 0 good, 1 failed, 2 wrong usage.
    static func run(_ arguments: [String]) async -> Int32 {
        do {
            let environment = Environment.process
            let configuration = try ShopConfiguration(environment, defaultSeedItems: EmbeddedCommand.defaultSeedItems)
            return try await EmbeddedCommand(configuration: configuration, environment: environment).run()
        } catch let error as ConfigurationError {
            Terminal.printError("commerce: \(error)")
            return 2
        } catch {
            Terminal.printError("commerce: \(error)")
            return 1
        }
    }
}
