import AdapterHTTP
import Ports

/// Which command a line asks for.
enum CommandLineInterface {
    /// A command line that nobody can follow: what it says, and what was expected.
    struct UsageError: Error, Hashable, CustomStringConvertible {
        let description: String
    }

    private static var commands: [String] {
        ["all", "cdc", "gateway", "check", "load"] + ShopComposition.serviceNames
    }

    /// Runs a command and returns the exit status: 0 good, 1 failed, 2 wrong usage.
    static func run(_ arguments: [String], _ environment: Environment) async -> Int32 {
        guard let command = arguments.first, !["--help", "-h", "help"].contains(command) else {
            Terminal.print(Help.overview)
            return arguments.isEmpty ? 2 : 0
        }
        if command == "--version" || (commands.contains(command) && arguments.contains("--version")) {
            Terminal.print("commerce \(rehearsalVersion)")
            return 0
        }
        do {
            guard commands.contains(command) else {
                throw UsageError(
                    description: "unknown command '\(command)'; expected one of \(commands.joined(separator: ", "))")
            }
            if arguments.contains("--help") || arguments.contains("-h") {
                Terminal.print(Help.text(command))
                return 0
            }
            return try await run(command, Array(arguments.dropFirst()), environment)
        } catch let error as UsageError {
            return fail("\(error)", 2)
        } catch let error as ConfigurationError {
            return fail("\(error)", 2)
        } catch {
            return fail("\(error)", 1)
        }
    }

    private static func fail(_ text: String, _ status: Int32) -> Int32 {
        Terminal.printError("commerce: \(text)")
        return status
    }

    private static func run(
        _ command: String, _ arguments: [String], _ environment: Environment
    ) async throws -> Int32 {
        if command == "load" || command == "check" { TerminationSignal.endsAtOnce.set() }
        if command == "load" { return try await LoadCommand(arguments, environment).run() }
        if command != "cdc", let unexpected = arguments.first {
            throw UsageError(description: "\(command) takes no argument, found '\(unexpected)'")
        }
        switch command {
        case "check": return try await CheckCommand(environment).run()
        case "all": return try await runAll(environment)
        case "gateway":
            let configuration = try ShopConfiguration(environment)
            let payment = try environment.address(Variables.paymentURL)
            try await PartHost.run([try GatewayPart.host(environment, configuration, payment)])
            return 0
        default: return try await runOnServers(command, arguments, environment)
        }
    }

    private static func runAll(_ environment: Environment) async throws -> Int32 {
        try refuseUnusable(environment)
        #if Production
            if try RealServers.areNamed(environment) {
                try await RealCommands(environment, try ShopConfiguration(environment)).all()
                return 0
            }
        #else
            for variable in servers where try environment.given(variable) != nil {
                throw needsProduction("\(variable.name) is set, but")
            }
        #endif
        let configuration = try ShopConfiguration(environment, defaultSeedItems: EmbeddedCommand.defaultSeedItems)
        return try await EmbeddedCommand(configuration: configuration, environment: environment).run()
    }

    /// The variables that say where servers are.
    private static var servers: [Variable] {
        [Variables.kafkaBootstrap] + ShopComposition.serviceNames.map { Variables.postgresURL($0) }
    }

    /// Refuses settings that the whole shop could not be started with, whatever it would run on.
    static func refuseUnusable(_ environment: Environment) throws(ConfigurationError) {
        try ShopConfiguration(environment).refuseSharedPorts(environment)
        try environment.refuseUnknown("POSTGRES_URL_", Array(servers.dropFirst()))
        try environment.refuseEmpty(servers, otherwise: "then the shop runs on simulated parts")
        #if Production
            if try RealServers.areNamed(environment) { _ = try RealServers(environment) }
        #endif
    }

    private static func runOnServers(
        _ command: String, _ arguments: [String], _ environment: Environment
    ) async throws -> Int32 {
        #if Production
            let commands = try RealCommands(environment, try ShopConfiguration(environment))
            if let service = ShopComposition.service(named: command) {
                try await commands.service(service)
            } else {
                let known = ShopComposition.serviceNames
                if let unknown = arguments.first(where: { !known.contains($0) }) {
                    throw UsageError(
                        description:
                            "cdc has no database '\(unknown)'; expected some of \(known.joined(separator: ", "))")
                }
                try await commands.relays(arguments.isEmpty ? known : arguments)
            }
            return 0
        #else
            throw needsProduction("\(command) needs PostgreSQL and Kafka, and")
        #endif
    }

    private static func needsProduction(_ what: String) -> UsageError {
        UsageError(
            description: "\(what) this program was built without the trait Production: build it with"
                + " `swift build --traits Production`, or run `commerce all` on simulated parts")
    }
}
