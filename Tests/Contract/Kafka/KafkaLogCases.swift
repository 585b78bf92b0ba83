import Ports

/// A partition's log: offsets, its ends, what a record carries, and which partition a key has.
enum KafkaLogCases {
    static let all: [ContractCase] = [
        offsets, contents, logOffsets, partitionCount, topicExists, partitionCountRefused, replicationRefused,
        murmur2, explicitPartition, unknownPartition, unknownTopic, tooLarge,
    ]

    private static let offsets = ContractCase.kafka(
        "log/offsets", "Records of a partition have consecutive offsets from 0, in the order of sending"
    ) { stage in
        let topic = try await stage.topic()
        let producer = try await stage.producer()
        let first = try await producer.send(KafkaStage.records(["a", "b", "c"], topic))
        let second = try await producer.send(KafkaStage.records(["d", "e"], topic))
        try expect((first + second).map(\.offset), equals: [0, 1, 2, 3, 4], "offsets")
        let records = try await stage.read(topic, count: 5)
        try expect(records.map(\.offset), equals: [0, 1, 2, 3, 4], "offsets that were read")
        try expect(records.values, equals: ["a", "b", "c", "d", "e"], "values that were read")
        try expect(try await stage.read(topic, from: 3, count: 2).values, equals: ["d", "e"], "read from offset 3")
    }

    private static let contents = ContractCase.kafka(
        "log/contents",
        "A record carries its key, headers in order with repeated names, JSON, bytes, or no value at all"
    ) { stage in
        let topic = try await stage.topic()
        let headers = [RecordHeader("id", "1"), RecordHeader("type", "A"), RecordHeader("id", "2")]
        let document: JSONValue = ["text": "ü \"quoted\"", "number": 42, "list": [nil, true]]
        let values: [(String?, Payload?)] = [
            ("json", .json(document)), ("bytes", .bytes([0xff, 0x00, 0x7b])), ("tombstone", nil), ("empty", .bytes([])),
            (nil, .json(.decimal(unscaled: 1_050, scale: 2))), ("", .json("no key is not an empty key")),
        ]
        let producer = try await stage.producer()
        _ = try await producer.send(
            values.map { ProducerRecord(topic: topic, partition: 0, key: $0.0, value: $0.1, headers: headers) })
        let records = try await stage.read(topic, count: values.count)
        try expect(records.map(\.key), equals: values.map(\.0), "keys")
        try expect(records.map(\.value), equals: values.map(\.1), "values")
        try expect(records.allSatisfy { $0.headers == headers }, "headers are as they were sent")
        try expect(records[0].header("id"), equals: "1", "the first header of that name")
    }

    private static let logOffsets = ContractCase.kafka(
        "log/log-offsets", "A log's ends are its first offset and its high watermark"
    ) { stage in
        let topic = try await stage.topic(partitions: 2)
        let partition = TopicPartition(topic, 1)
        try expect(
            try await stage.administration.logOffsets(of: partition), equals: LogOffsets(earliest: 0, latest: 0),
            "an empty log")
        try await stage.produce(["a", "b", "c"], to: topic, partition: 1)
        try expect(
            try await stage.administration.logOffsets(of: partition), equals: LogOffsets(earliest: 0, latest: 3),
            "after three records")
        try expect(
            try await stage.administration.logOffsets(of: TopicPartition(topic, 0)),
            equals: LogOffsets(earliest: 0, latest: 0), "the other partition")
    }

    private static let partitionCount = ContractCase.kafka(
        "log/partition-count", "A topic's partition count is the one it was created with; a name without topic has none"
    ) { stage in
        let topic = try await stage.topic(partitions: 7, replicas: 1)
        try expect(try await stage.administration.partitionCount(of: topic), equals: 7, "partitions")
        try expect(
            try await stage.administration.partitionCount(of: stage.cluster.uniqueName("no-topic")), equals: nil,
            "partitions of a topic that is not there")
    }

    private static let topicExists = ContractCase.kafka(
        "log/topic-exists", "Creating a topic that exists is refused with 36"
    ) { stage in
        let topic = try await stage.topic()
        let error = try await stage.mustFail(.topicAlreadyExists, "creating it again") {
            try await stage.administration.createTopic(
                TopicSpecification(topic, partitionCount: 1, replicationFactor: 1))
        }
        try expect(error.outcome, equals: .noEffect, "outcome")
    }

    private static let partitionCountRefused = ContractCase.kafka(
        "log/invalid-partitions", "A topic of no partitions is refused with 37"
    ) { stage in
        try await stage.mustFail(.invalidPartitions, "creating a topic of 0 partitions") {
            try await stage.administration.createTopic(
                TopicSpecification(stage.cluster.uniqueName("topic"), partitionCount: 0, replicationFactor: 1))
        }
    }

    private static let replicationRefused = ContractCase.kafka(
        "log/invalid-replication-factor", "More replicas than brokers are refused with 38, and so are none"
    ) { stage in
        for factor: Int16 in [4, 0] {
            try await stage.mustFail(.invalidReplicationFactor, "creating a topic of \(factor) replicas") {
                try await stage.administration.createTopic(
                    TopicSpecification(stage.cluster.uniqueName("topic"), partitionCount: 1, replicationFactor: factor))
            }
        }
    }

    /// The hashes are those of Kafka's own test of Utils.murmur2.
    private static let murmur2 = ContractCase.kafka(
        "log/murmur2", "A key's partition is (murmur2(key) & 0x7fffffff) % partitions, as with Java clients"
    ) { stage in
        let hashes: [(String, Int32)] = [
            ("21", -973_932_308), ("foobar", -790_332_482), ("a-little-bit-long-string", -985_981_536),
            ("a-little-bit-longer-string", -1_486_304_829),
            ("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58_897_971), ("abc", 479_470_107),
        ]
        let topic = try await stage.topic(partitions: 16, replicas: 1)
        let producer = try await stage.producer()
        let written = try await producer.send(
            hashes.map { ProducerRecord(topic: topic, key: $0.0, value: .json(.string($0.0))) })
        try expect(
            written.map(\.topicPartition.partition), equals: hashes.map { ($0.1 & 0x7fff_ffff) % 16 },
            "partitions of keys")
    }

    private static let explicitPartition = ContractCase.kafka(
        "log/explicit-partition", "A record with a partition goes there whatever its key"
    ) { stage in
        let topic = try await stage.topic(partitions: 3, replicas: 1)
        let producer = try await stage.producer()
        let written = try await producer.send(
            [2, 0, 2, 1].map { ProducerRecord(topic: topic, partition: $0, key: "same", value: .json("v")) })
        try expect(written.map(\.topicPartition.partition), equals: [2, 0, 2, 1], "partitions")
        try expect(written.map(\.offset), equals: [0, 0, 1, 0], "offsets")
    }

    private static let unknownPartition = ContractCase.kafka(
        "log/unknown-partition", "A record for a partition that is not there is refused by the client, without effect"
    ) { stage in
        let topic = try await stage.topic(partitions: 2, replicas: 1)
        let producer = try await stage.producer()
        _ = try await producer.send(KafkaStage.records(["a"], topic))
        let error = try await stage.mustFail(.unknownPartition, "sending to partition 2 of 2") {
            _ = try await producer.send(KafkaStage.records(["b"], topic, 2))
        }
        try expect(error.outcome, equals: .noEffect, "outcome")
        try expect(error.isFatal, equals: false, "the producer can go on")
        _ = try await producer.send(KafkaStage.records(["c"], topic))
    }

    private static let unknownTopic = ContractCase.kafka(
        "log/unknown-topic", "A record for a topic that is not there fails with 3, without effect"
    ) { stage in
        let producer = try await stage.producer()
        let error = try await stage.mustFail(.unknownTopicOrPartition, "sending to no topic") {
            _ = try await producer.send(KafkaStage.records(["a"], stage.cluster.uniqueName("no-topic")))
        }
        try expect(error.outcome, equals: .noEffect, "outcome")
    }

    private static let tooLarge = ContractCase.kafka(
        "log/too-large", "A record larger than max.request.size is refused with 10, without effect; others go on"
    ) { stage in
        let topic = try await stage.topic()
        let producer = try await stage.producer()
        let huge = ProducerRecord(
            topic: topic, partition: 0, key: nil, value: .bytes(Array(repeating: 0x78, count: 1_200_000)))
        let error = try await stage.mustFail(.messageTooLarge, "sending 1.2 MB") {
            _ = try await producer.send(KafkaStage.records(["a"], topic) + [huge] + KafkaStage.records(["b"], topic))
        }
        try expect(error.outcome, equals: .noEffect, "outcome")
        try expect(try await stage.read(topic, count: 2).values, equals: ["a", "b"], "what was written")
    }
}
