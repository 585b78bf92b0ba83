import AdapterHTTP
import AdapterSystem
import Ports

/// One part of the shop as a process hosts it: its HTTP interface, and work that goes on beside it.
///
/// The interface listens from the start, so that health can be asked while servers are still waited for; requests of customers
/// are answered 503 until the part is ready.
struct PartHost: Sendable {
    /// What a part does once its servers are there.
    struct Work: Sendable {
        var handler: (any HTTPHandler)?
        /// Runs until its task is cancelled.
        var run: @Sendable () async throws -> Void
        /// Lets go of servers, once everything has ended.
        var close: @Sendable () async -> Void = {}
    }

    let name: String
    let http: HTTPServerSettings
    let drainTimeout: Nanoseconds
    let metrics: Metrics
    let log: any ServiceLog
    var openAPI: JSONValue?
    var route: @Sendable (HTTPRequest) -> String = { _ in "other" }
    /// Waits for servers and sets everything up.
    let prepare: @Sendable () async throws -> Work

    /// Runs until the process is told to end, or the part fails; then drains.
    ///
    /// - Throws: what `prepare` or the work threw.
    func run(untilTold: @escaping @Sendable () async -> Void) async throws {
        let readiness = Readiness([name])
        let gate = GateHandler()
        let edge = EdgeHandler(
            gate, metrics: metrics, readiness: readiness, log: log, openAPI: openAPI, route: route)
        let server = try HTTPServer.start(edge.watching(http), edge)
        metrics.addGauge("http_connections_open", "Connections that are open.") { server.connectionCount }
        log.log(
            .info, "listening", [LogField("port", String(server.port)), LogField("http", HTTPServer.implementation)])
        do {
            try await runWork(gate, readiness, server, untilTold)
        } catch {
            readiness.set(name, problem: "failed")
            await server.stop(drainTimeout: .zero)
            throw error
        }
    }

    private func runWork(
        _ gate: GateHandler, _ readiness: Readiness, _ server: any RunningHTTPServer,
        _ untilTold: @escaping @Sendable () async -> Void
    ) async throws {
        try await withThrowingTaskGroup(of: Bool.self) { group in
            group.addTask {
                await untilTold()
                return true
            }
            group.addTask {
                let work = try await prepare()
                gate.open(work.handler)
                readiness.set(name, problem: nil)
                log.log(.info, "ready")
                do { try await work.run() } catch {
                    await work.close()
                    throw error
                }
                await work.close()
                return false
            }
            let wasTold = try await group.next() ?? false
            readiness.set(name, problem: "stopping")
            log.log(.info, "stopping", [LogField("reason", wasTold ? "told to" : "its work has ended")])
            // Requests end first: what they have written is relayed and consumed as long as the work goes on.
            await server.stop(drainTimeout: drainTimeout)
            group.cancelAll()
            while let result = await group.nextResult() {
                if case .failure(let error) = result, !(error is CancellationError) { throw error }
            }
        }
        log.log(.info, "stopped")
    }
}
