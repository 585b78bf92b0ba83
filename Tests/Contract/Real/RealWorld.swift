#if Production
    import AdapterKafka
    import AdapterPostgres
    import AdapterSystem
    import Foundation
    import Ports

    /// The real servers that the environment names: POSTGRES_URL, KAFKA_BOOTSTRAP, CONNECT_URL; REAL_STACK for the cases
    /// that kill one.
    struct RealWorld: ContractWorld {
        let name = "real"
        let clock: any ServiceClock = SystemClock()

        static func variable(_ name: String) -> String? { ContractEnvironment.variable(name) }

        static var hasPostgres: Bool { variable("POSTGRES_URL") != nil }
        static var hasConnect: Bool { hasPostgres && hasKafka && variable("CONNECT_URL") != nil }
        static var hasKafka: Bool { variable("KAFKA_BOOTSTRAP") != nil }

        /// What the servers of an area call themselves.
        func versions(_ area: ContractArea) async throws -> String {
            switch area {
            case .postgres: "PostgreSQL \(try await Self.postgresVersion())"
            case .kafka: Self.kafkaVersion
            case .debezium: try await Self.debeziumVersion()
            case .http: "unknown"
            }
        }

        private static func postgresVersion() async throws -> String {
            guard let text = variable("POSTGRES_URL") else { return "unknown" }
            let database = PostgresDatabase(PostgresSettings(url: try PostgresURL(text)))
            defer { database.close() }
            return try await database.administer("SHOW server_version").first?.first.flatMap { $0 } ?? "unknown"
        }

        /// Kafka's protocol does not tell the broker's version: it is that of the libraries beside the stack's script.
        private static var kafkaVersion: String {
            let client = "librdkafka \(KafkaEventLog.libraryVersion)"
            guard let script = variable("REAL_STACK"),
                let libraries = try? FileManager.default.contentsOfDirectory(
                    atPath: URL(fileURLWithPath: script).deletingLastPathComponent().appendingPathComponent("libs").path
                ),
                let library = libraries.first(where: { $0.hasPrefix("kafka-clients-") && $0.hasSuffix(".jar") })
            else { return "Kafka of unknown version, \(client)" }
            return "Kafka \(library.dropFirst("kafka-clients-".count).dropLast(".jar".count)), \(client)"
        }

        private static func debeziumVersion() async throws -> String {
            guard let url = variable("CONNECT_URL") else { return "unknown" }
            return try await ConnectWorker(url).debeziumVersion()
        }

        func makeEventLogCluster() async throws -> any EventLogCluster {
            guard let bootstrap = Self.variable("KAFKA_BOOTSTRAP") else {
                throw ContractFailure("KAFKA_BOOTSTRAP is not set")
            }
            let cluster = RealEventLogCluster(bootstrap: bootstrap, stack: RealStack.fromEnvironment)
            try await cluster.settle()
            return cluster
        }

        func makeConnector(
            _ options: ConnectorOptions, on server: any DatabaseServer
        ) async throws -> any ConnectorServer {
            guard let server = server as? RealDatabaseServer, let url = Self.variable("CONNECT_URL"),
                let bootstrap = Self.variable("KAFKA_BOOTSTRAP")
            else { throw ContractFailure("CONNECT_URL and KAFKA_BOOTSTRAP are not both set") }
            return RealConnector(
                options, server, worker: try ConnectWorker(url), bootstrap: bootstrap,
                stack: RealStack.fromEnvironment)
        }

        func makeDatabase(_ options: DatabaseOptions) async throws -> any DatabaseServer {
            guard let text = Self.variable("POSTGRES_URL") else {
                throw ContractFailure("POSTGRES_URL is not set")
            }
            return try await RealDatabaseServer(
                options, server: try PostgresURL(text), part: Self.variable("REAL_STACK_POSTGRES") ?? "postgres-main",
                stack: RealStack.fromEnvironment)
        }
    }
#endif
