#if Production
    import AdapterJSON
    public import Ports

    /// What a client says of itself every `statistics.interval.ms`: the part of librdkafka's statistics that tells whether
    /// it keeps up. See STATISTICS.md of librdkafka.
    public struct KafkaStatistics: Hashable, Sendable {
        /// The connection to one broker.
        public struct Broker: Hashable, Sendable {
            /// Host, port and node id, for example `localhost:9092/1`.
            public let name: String
            public let isConnected: Bool
            /// Requests that wait to be sent, and those that wait for their answer.
            public let queuedRequests: Int64
            public let requestsInFlight: Int64
            /// Time from request to answer, over the last interval.
            public let averageRoundTrip: Nanoseconds
            public let roundTripPercentile99: Nanoseconds
        }

        /// One partition that the client has to do with.
        public struct Partition: Hashable, Sendable {
            public let topicPartition: TopicPartition
            /// Consumer: records between the committed offset and the end that it may read; `nil` while unknown.
            public let consumerLag: Int64?
            /// Records that wait to be sent, or that were fetched and not polled yet.
            public let queuedRecords: Int64
        }

        public let clientID: String
        /// Producer: records that are not acknowledged yet, and their bytes.
        public let unacknowledgedRecords: Int64
        public let unacknowledgedBytes: Int64
        /// Events that the application has not taken yet.
        public let queuedEvents: Int64
        /// By name.
        public let brokers: [Broker]
        /// By topic and number.
        public let partitions: [Partition]

        /// The sum over partitions whose lag is known.
        public var consumerLag: Int64 { partitions.reduce(0) { $0 + ($1.consumerLag ?? 0) } }

        /// Reads librdkafka's JSON document. Linear in its length.
        ///
        /// - Returns: `nil` when it is not such a document.
        init?(reading text: UnsafeBufferPointer<UInt8>) {
            let limits = JSONLimits(maximumByteCount: 16_777_216)
            guard let document = try? JSONReader.read(text, limits: limits),
                let clientID = document["client_id"]?.stringValue
            else { return nil }
            self.clientID = clientID
            unacknowledgedRecords = document["msg_cnt"]?.integerValue ?? 0
            unacknowledgedBytes = document["msg_size"]?.integerValue ?? 0
            queuedEvents = document["replyq"]?.integerValue ?? 0
            brokers = Self.members(document["brokers"]).compactMap { Broker($0.value) }.sorted { $0.name < $1.name }
            partitions = Self.members(document["topics"]).flatMap { topic in
                Self.members(topic.value["partitions"]).compactMap { Partition($0.value, of: topic.name) }
            }.sorted { $0.topicPartition < $1.topicPartition }
        }

        private static func members(_ value: JSONValue?) -> [JSONMember] {
            if case .object(let members)? = value { members } else { [] }
        }
    }

    extension KafkaStatistics.Broker {
        /// `nil` for the logical brokers that librdkafka keeps beside the real ones.
        fileprivate init?(_ value: JSONValue) {
            guard let name = value["name"]?.stringValue, value["nodeid"]?.integerValue ?? -1 >= 0 else { return nil }
            self.name = name
            isConnected = value["state"]?.stringValue == "UP"
            queuedRequests = value["outbuf_cnt"]?.integerValue ?? 0
            requestsInFlight = value["waitresp_cnt"]?.integerValue ?? 0
            averageRoundTrip = .microseconds(value["rtt"]?["avg"]?.integerValue ?? 0)
            roundTripPercentile99 = .microseconds(value["rtt"]?["p99"]?.integerValue ?? 0)
        }
    }

    extension KafkaStatistics.Partition {
        /// `nil` for the place of records whose partition is not chosen yet.
        fileprivate init?(_ value: JSONValue, of topic: String) {
            guard let number = value["partition"]?.integerValue, number >= 0 else { return nil }
            topicPartition = TopicPartition(topic, Int32(truncatingIfNeeded: number))
            let lag = value["consumer_lag"]?.integerValue ?? -1
            consumerLag = lag < 0 ? nil : lag
            let queues = ["msgq_cnt", "xmit_msgq_cnt", "fetchq_cnt"]
            queuedRecords = queues.reduce(0) { $0 + (value[$1]?.integerValue ?? 0) }
        }
    }
#endif
