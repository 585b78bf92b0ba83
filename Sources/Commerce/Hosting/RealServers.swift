#if Production
    import AdapterKafka
    import AdapterPostgres
    import AdapterSystem
    import Ports

    /// The servers that the environment names, and the ports on them.
    struct RealServers: Sendable {
        let kafkaBootstrap: String
        private let environment: Environment
        private let connectionLimit: Int
        private let fetchWait: Nanoseconds
        /// How long a relay waits for further transactions.
        let relayGatherTime: Nanoseconds
        let instanceName: String

        /// - Throws: ``ConfigurationError``.
        init(_ environment: Environment) throws(ConfigurationError) {
            self.environment = environment
            kafkaBootstrap = try Self.kafkaBootstrap(environment)
            connectionLimit = try environment.integer(Variables.postgresConnections, in: 2...1_000)
            fetchWait = .milliseconds(Int64(try environment.integer(Variables.fetchWait, in: 1...10_000)))
            relayGatherTime = .milliseconds(Int64(try environment.integer(Variables.relayGather, in: 0...10_000)))
            instanceName = try environment.text(Variables.instanceName)
        }

        /// Where the brokers are: `host:port`, or several separated by commas.
        ///
        /// - Throws: ``ConfigurationError``.
        static func kafkaBootstrap(_ environment: Environment) throws(ConfigurationError) -> String {
            let bootstrap = try environment.text(Variables.kafkaBootstrap)
            for address in bootstrap.split(separator: ",", omittingEmptySubsequences: false) {
                let parts = address.split(separator: ":", omittingEmptySubsequences: false)
                guard parts.count == 2, !parts[0].isEmpty, let port = UInt16(parts[1]), port > 0 else {
                    throw environment.wrong(
                        Variables.kafkaBootstrap, bootstrap, "host:port, or several separated by commas")
                }
            }
            return bootstrap
        }

        /// Whether the environment names any server at all.
        static func areNamed(_ environment: Environment) throws(ConfigurationError) -> Bool {
            if try environment.given(Variables.kafkaBootstrap) != nil { return true }
            for name in ShopComposition.serviceNames {
                if try environment.given(Variables.postgresURL(name)) != nil { return true }
            }
            return false
        }

        func postgres(_ service: String, purpose: String) throws(ConfigurationError) -> PostgresSettings {
            let variable = Variables.postgresURL(service)
            do {
                var settings = PostgresSettings(url: try PostgresURL(try environment.text(variable)))
                settings.applicationName = "commerce-\(purpose)-\(instanceName)"
                settings.connectionLimit = connectionLimit
                return settings
            } catch let error as PostgresURL.Invalid {
                throw ConfigurationError(variable: variable.name, problem: "\(error)")
            } catch let error as ConfigurationError {
                throw error
            } catch {
                throw ConfigurationError(variable: variable.name, problem: "\(error)")
            }
        }

        func eventLog(_ log: any ServiceLog) -> KafkaEventLog {
            var settings = KafkaSettings(bootstrapServers: kafkaBootstrap)
            settings.log = log
            settings.fetchMinimumByteCount = 65_536
            settings.fetchWait = fetchWait
            return KafkaEventLog(settings)
        }
    }
#endif
