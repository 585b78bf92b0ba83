#if Production
    import Crdkafka
    public import Ports
    import Synchronization

    /// The event log port on a Kafka cluster, through librdkafka.
    ///
    /// No thread of the cooperative pool ever waits for a broker: librdkafka's queues say when they have something (see
    /// ``AdapterSystem/SocketReactor``), and its calls that wait run on threads of their own.
    public final class KafkaEventLog: EventLog {
        private let settings: KafkaSettings
        private let registry = ClientRegistry()
        private let administrationClient: AdministrationConnection

        /// librdkafka's version, for example `2.0.2`.
        public static var libraryVersion: String { String(cString: rd_kafka_version_str()) }

        /// Connects to nothing yet.
        public init(_ settings: KafkaSettings) {
            self.settings = settings
            administrationClient = AdministrationConnection(settings)
        }

        public func makeProducer(_ settings: ProducerSettings) async throws -> any EventProducer {
            let producer = try KafkaProducer(settings, cluster: self.settings, registry: registry)
            if settings.transactionalID != nil {
                do {
                    try await producer.initialize()
                } catch {
                    await producer.close()
                    throw error
                }
            }
            return producer
        }

        public func makeConsumer(_ settings: ConsumerSettings) async throws -> any EventConsumer {
            try KafkaConsumer(settings, cluster: self.settings, registry: registry)
        }

        public var administration: any EventLogAdministration { KafkaAdministration(administrationClient) }

        /// What the open producers and consumers last said of themselves, by client id.
        public var statistics: [KafkaStatistics] { registry.statistics }

        /// Ends the connections that administration opened. Producers and consumers are closed by themselves.
        public func close() async { await administrationClient.close() }
    }

    /// The clients that are open, for metrics.
    final class ClientRegistry: Sendable {
        private let journals = Mutex<[ClientJournal]>([])

        func add(_ journal: ClientJournal) { journals.withLock { $0.append(journal) } }
        func remove(_ journal: ClientJournal) { journals.withLock { $0.removeAll { $0 === journal } } }

        var statistics: [KafkaStatistics] {
            journals.withLock { $0 }.compactMap(\.statistics).sorted { $0.clientID < $1.clientID }
        }
    }
#endif
