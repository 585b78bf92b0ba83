import AdapterHTTP
import AdapterSystem
import Domain
import Ports
import Synchronization

/// `commerce all` without servers: the shop on simulated parts, in real time.
struct EmbeddedCommand {
    let configuration: ShopConfiguration
    let environment: Environment

    /// Items of the catalogue when nobody says: a newcomer wants something to order.
    static let defaultSeedItems = 12
    static let gatewayPort = 8_090

    /// Runs until SIGTERM. Returns the exit status.
    func run() async throws -> Int32 {
        Terminal.print(
            "commerce: no server is configured, so the whole shop runs in this process on simulated parts (PostgreSQL, Kafka,"
                + " relays, payment provider) in real time; what it holds is gone when it ends")
        let log = JSONLinesLog(service: "all", minimumLevel: configuration.logLevel)
        let shop = EmbeddedShop(
            configuration.shop, catalogue: configuration.catalogue,
            refusalPercent: configuration.gatewayRefusalPercent, latency: configuration.simulatedLatency,
            minimumLogLevel: configuration.logLevel
        ) { level, process, message, fields in
            log.write(level, message, [LogField("process", process)] + fields)
        }
        let readiness = Readiness(["shop"])
        let servers = try startServers(shop, readiness)
        let hasEnded = Mutex(false)
        async let problems = withCheckedContinuation { continuation in
            DedicatedThread.start("simulation") {
                let problems = shop.run {
                    readiness.set("shop", problem: nil)
                    Self.printAddresses(servers)
                }
                hasEnded.withLock { $0 = true }
                // An end that nobody asked for ends the wait below, too. Not by a signal: after one that somebody sent it
                // would be the second, which ends the process at once.
                TerminationSignal.hasCome.set()
                continuation.resume(returning: problems)
            }
        }
        await TerminationSignal.hasCome.wait()
        let endedItself = hasEnded.withLock { $0 }
        readiness.set("shop", problem: "stopping")
        log.log(.info, "stopping", [LogField("reason", endedItself ? "the simulation has ended" : "told to")])
        await withTaskGroup { group in
            for server in servers {
                group.addTask { await server.server.stop(drainTimeout: configuration.drainTimeout) }
            }
        }
        shop.end()
        for problem in await problems { Terminal.printError("commerce: the simulated shop has failed: \(problem)") }
        log.log(.info, "stopped")
        return endedItself ? 1 : 0
    }

    private struct Server: Sendable {
        let name: String
        let server: any RunningHTTPServer
    }

    private func startServers(_ shop: EmbeddedShop, _ readiness: Readiness) throws -> [Server] {
        var servers: [Server] = []
        for service in ShopComposition.services {
            let operations = service.operations
            servers.append(
                try start(
                    shop, service.name, service.defaultPort, readiness,
                    openAPI: OpenAPIDocument.document(of: service.name, operations)
                ) { request in
                    operations.first { $0.matches(request.method, request.path) }?.path ?? "other"
                })
        }
        servers.append(try start(shop, "gateway", Self.gatewayPort, readiness, openAPI: nil) { _ in "other" })
        return servers
    }

    private func start(
        _ shop: EmbeddedShop, _ name: String, _ defaultPort: Int, _ readiness: Readiness, openAPI: JSONValue?,
        route: @escaping @Sendable (HTTPRequest) -> String
    ) throws -> Server {
        let settings = try configuration.http(of: name, defaultPort: defaultPort, environment)
        let handler = EdgeHandler(
            shop.handler(of: name), metrics: Metrics(service: name), readiness: readiness,
            log: JSONLinesLog(service: name, minimumLevel: configuration.logLevel), openAPI: openAPI, route: route)
        return Server(name: name, server: try HTTPServer.start(handler.watching(settings), handler))
    }

    private static func printAddresses(_ servers: [Server]) {
        let list = servers.map { "\($0.name) \($0.server.port)" }.joined(separator: ", ")
        Terminal.print("commerce: open for customers, at ports: \(list)")
    }
}
