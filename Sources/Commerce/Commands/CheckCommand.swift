import AdapterHTTP
import AdapterSystem
import Domain
import Ports

#if Production
    import AdapterKafka
    import AdapterPostgres
#endif

/// `commerce check`: what can be reached, how fast, and what it says of itself.
struct CheckCommand {
    let environment: Environment
    private let clock = SystemClock()
    private static let patience = Nanoseconds.seconds(5)

    init(_ environment: Environment) { self.environment = environment }

    /// One line of the result.
    struct Finding: Hashable, Sendable {
        enum State: String, Sendable {
            case good = "ok"
            case bad = "FAILED"
            /// Not configured, or not running: nobody said that it should be.
            case absent = "-"
        }

        let state: State
        let what: String
        let text: String

        var line: String {
            let state = state.rawValue.padded(to: 7)
            return "\(state) \(what.padded(to: 26)) \(text)"
        }
    }

    /// Prints what was found. Returns the exit status: 1 when something that is configured cannot be used.
    func run() async throws -> Int32 {
        // What the shop would refuse at its start is refused here, too.
        try CommandLineInterface.refuseUnusable(environment)
        var findings: [Finding] = []
        #if Production
            findings += try await checkServers()
        #else
            findings.append(
                Finding(
                    state: .absent, what: "Kafka, PostgreSQL",
                    text: "this program was built without the trait Production: it runs on simulated parts only"))
        #endif
        findings += try await checkServices()
        for finding in findings { Terminal.print(finding.line) }
        let failures = findings.filter { $0.state == .bad }.count
        Terminal.print("commerce: \(Self.summary(findings, failures: failures))")
        return failures == 0 ? 0 : 1
    }

    private static func summary(_ findings: [Finding], failures: Int) -> String {
        if failures > 0 { return "\(failures) cannot be used" }
        guard findings.contains(where: { $0.state == .good }) else {
            return "no server can be used and no service runs here; `commerce all` starts the shop"
        }
        let absent = findings.filter { $0.state == .absent }.count
        return absent == 0
            ? "everything can be used" : "everything that is there can be used; not there: \(absent), see above"
    }

    /// Runs a check, and says how long it took or what went wrong.
    private func check(_ what: String, _ body: () async throws -> String) async -> Finding {
        let start = clock.monotonicNow
        do {
            let text = try await body()
            return Finding(state: .good, what: what, text: "\(text), \(milliseconds(since: start)) ms")
        } catch {
            let problem = String(describing: error).split(whereSeparator: \.isNewline).joined(separator: " ")
            return Finding(state: .bad, what: what, text: problem)
        }
    }

    private func milliseconds(since start: Instant) -> String {
        let microseconds = (clock.monotonicNow - start).rawValue / 1_000
        return "\(microseconds / 1_000).\(microseconds / 100 % 10)"
    }

    // MARK: Services

    private func checkServices() async throws -> [Finding] {
        var findings: [Finding] = []
        #if os(Linux)
            let host = try environment.text(Variables.shopHost)
            let parts =
                ShopComposition.services.map { ($0.name, $0.defaultPort) } + [("gateway", 8_090), ("cdc", 8_091)]
            for (name, defaultPort) in parts {
                let port = UInt16(try environment.integer(Variables.port(name, defaultPort), in: 0...65_535))
                guard port > 0 else {
                    findings.append(
                        Finding(state: .absent, what: "service \(name)", text: "the system chooses its port"))
                    continue
                }
                let client = ReactorHTTPClient(HTTPAddress(host: host, port: port))
                let finding = await check("service \(name)") {
                    let response = try await client.send(HTTPRequest(.get, "/health/ready"), timeout: Self.patience)
                    guard response.status == 200 else {
                        throw StartupError(what: "\(host):\(port)", problem: "answers \(response.status), not ready")
                    }
                    return "ready at \(host):\(port)"
                }
                // Nobody says which services run here: one that is not there is no failure.
                let isAbsent = finding.state == .bad && finding.text.contains("connectionRefused")
                findings.append(
                    isAbsent
                        ? Finding(state: .absent, what: finding.what, text: "nothing at \(host):\(port)") : finding)
            }
        #endif
        return findings
    }

    // MARK: Servers

    #if Production
        private func checkServers() async throws -> [Finding] {
            guard try RealServers.areNamed(environment) else {
                return [
                    Finding(
                        state: .absent, what: "Kafka, PostgreSQL",
                        text: "none is configured: `commerce all` runs on simulated parts")
                ]
            }
            var findings: [Finding] = []
            for name in ShopComposition.serviceNames { findings.append(try await checkDatabase(name)) }
            findings += try await checkKafka()
            return findings
        }

        private func checkDatabase(_ name: String) async throws -> Finding {
            let what = "database \(name)"
            let variable = Variables.postgresURL(name)
            guard let text = try environment.given(variable) else {
                return Finding(state: .absent, what: what, text: "\(variable.name) is not set")
            }
            return await check(what) {
                var settings = PostgresSettings(url: try PostgresURL(text))
                settings.connectTimeout = Self.patience
                settings.connectionLimit = 1
                let database = PostgresDatabase(settings)
                defer { database.close() }
                let rows = try await database.administer(
                    "SELECT current_setting('server_version'), current_setting('wal_level')")
                let version = rows.first?[0] ?? "of unknown version"
                let level = rows.first?[1] ?? "unknown"
                let relay = level == "logical" ? "" : "; the relay needs wal_level logical"
                return "PostgreSQL \(version) at \(settings.url), wal_level \(level)\(relay)"
            }
        }

        private func checkKafka() async throws -> [Finding] {
            guard try environment.given(Variables.kafkaBootstrap) != nil else {
                return [
                    Finding(state: .absent, what: "Kafka", text: "\(Variables.kafkaBootstrap.name) is not set")
                ]
            }
            let bootstrap = try RealServers.kafkaBootstrap(environment)
            var settings = KafkaSettings(bootstrapServers: bootstrap)
            settings.callTimeout = Self.patience
            let administration = KafkaEventLog(settings).administration
            var findings: [Finding] = []
            for topic in ShopComposition.topics {
                let finding = await check("topic \(topic)") {
                    guard let count = try await administration.partitionCount(of: topic) else {
                        return "is not there yet: the first service that starts makes it"
                    }
                    return "\(count) partitions"
                }
                findings.append(finding)
                // A cluster that does not answer is waited for once.
                if finding.state == .bad { break }
            }
            let isReached = findings.allSatisfy { $0.state == .good }
            findings.insert(
                Finding(
                    state: isReached ? .good : .bad, what: "Kafka",
                    text: "\(bootstrap), librdkafka \(KafkaEventLog.libraryVersion)"), at: 0)
            return findings
        }
    #endif
}

extension String {
    /// With blanks behind it, up to a width.
    func padded(to width: Int) -> String { self + String(repeating: " ", count: max(0, width - count)) }
}
