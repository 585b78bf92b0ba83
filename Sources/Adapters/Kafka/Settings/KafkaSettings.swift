#if Production
    public import Ports

    /// How a service reaches a Kafka cluster: what every producer and consumer of it shares.
    public struct KafkaSettings: Sendable {
        /// One setting of librdkafka by its own name, for example `security.protocol`.
        public struct Property: Hashable, Sendable {
            public let name: String
            public let value: String

            public init(_ name: String, _ value: String) {
                self.name = name
                self.value = value
            }
        }

        /// `bootstrap.servers`: host and port of some brokers, separated by commas.
        public var bootstrapServers: String
        /// `default.api.timeout.ms` and `max.block.ms` of Java clients: how long a call waits for the cluster.
        public var callTimeout: Nanoseconds = .seconds(60)
        /// `statistics.interval.ms`; zero for none.
        public var statisticsInterval: Nanoseconds = .seconds(5)
        /// `fetch.min.bytes`: brokers answer a fetch only when they have so many bytes, or after ``fetchWait``.
        public var fetchMinimumByteCount = 1
        /// `fetch.wait.max.ms`, in the place of a consumer's own setting; `nil` leaves that.
        public var fetchWait: Nanoseconds?
        /// Security above all: `security.protocol`, `sasl.*`, `ssl.*`. Applied last; values are never logged.
        public var properties: [Property] = []
        /// Where librdkafka's own messages go; `nil` drops them.
        public var log: (any ServiceLog)?

        public init(bootstrapServers: String) { self.bootstrapServers = bootstrapServers }
    }
#endif
