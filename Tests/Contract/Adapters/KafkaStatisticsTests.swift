#if Production
    @testable import AdapterKafka
    import Ports
    import Testing

    @Suite("Statistics of Kafka clients")
    struct KafkaStatisticsTests {
        private static func read(_ text: String) -> KafkaStatistics? {
            Array(text.utf8).withUnsafeBufferPointer { KafkaStatistics(reading: $0) }
        }

        @Test(
            "Lag, queues and round trips are read; brokers without a number and records without a partition are left out"
        )
        func documentIsRead() throws {
            let statistics = try #require(
                Self.read(
                    """
                    {"name": "c#consumer-1", "client_id": "c", "msg_cnt": 3, "msg_size": 120, "replyq": 7, "ratio": 0.25,
                     "brokers": {
                       "localhost:9093/2": {"name": "localhost:9093/2", "nodeid": 2, "state": "DOWN"},
                       "localhost:9092/1": {"name": "localhost:9092/1", "nodeid": 1, "state": "UP", "outbuf_cnt": 1,
                         "waitresp_cnt": 2, "rtt": {"avg": 1500, "p99": 9000}},
                       "GroupCoordinator": {"name": "GroupCoordinator", "nodeid": -1, "state": "UP"}},
                     "topics": {"t": {"partitions": {
                       "0": {"partition": 0, "consumer_lag": 5, "msgq_cnt": 1, "xmit_msgq_cnt": 2, "fetchq_cnt": 4},
                       "1": {"partition": 1, "consumer_lag": -1},
                       "-1": {"partition": -1, "msgq_cnt": 9}}}}}
                    """))
            #expect(statistics.clientID == "c")
            #expect(statistics.unacknowledgedRecords == 3 && statistics.unacknowledgedBytes == 120)
            #expect(statistics.queuedEvents == 7)
            #expect(statistics.brokers.map(\.name) == ["localhost:9092/1", "localhost:9093/2"])
            #expect(statistics.brokers.map(\.isConnected) == [true, false])
            #expect(statistics.brokers[0].averageRoundTrip == .microseconds(1_500))
            #expect(statistics.brokers[0].roundTripPercentile99 == .microseconds(9_000))
            #expect(statistics.partitions.map(\.topicPartition) == [TopicPartition("t", 0), TopicPartition("t", 1)])
            #expect(statistics.partitions.map(\.consumerLag) == [5, nil])
            #expect(statistics.partitions.map(\.queuedRecords) == [7, 0])
            #expect(statistics.consumerLag == 5)
        }

        @Test("What is no such document is none", arguments: ["", "[]", "{}", "{\"client_id\": 1}"])
        func otherTextIsRefused(_ text: String) {
            #expect(Self.read(text) == nil)
        }
    }
#endif
