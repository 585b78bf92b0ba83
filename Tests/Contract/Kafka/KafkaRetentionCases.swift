import Ports

/// What is deleted from a log and what is kept.
enum KafkaRetentionCases {
    static let all: [ContractCase] = [retention, belowStart, belowStartReset, compaction]

    /// A topic from whose start records are gone: they are older than its retention.
    private static func retiredTopic(_ stage: KafkaStage) async throws -> String {
        let topic = try await stage.topic {
            $0.retention = .seconds(2)
            $0.segmentSpan = .seconds(1)
        }
        try await stage.produce(["a", "b"], to: topic)
        try await stage.until("they are deleted") {
            try await stage.administration.logOffsets(of: TopicPartition(topic, 0)).earliest == 2
        }
        return topic
    }

    private static let retention = ContractCase.kafka(
        "retention/deletes", "What is older than the retention is deleted, even all of it; offsets go on"
    ) { stage in
        let topic = try await retiredTopic(stage)
        try expect(
            try await stage.administration.logOffsets(of: TopicPartition(topic, 0)),
            equals: LogOffsets(earliest: 2, latest: 2), "the log's ends")
        try expect(try await stage.produce(["c"], to: topic)[0].offset, equals: 2, "the next record's offset")
    }

    private static let belowStart = ContractCase.kafka(
        "retention/below-start-none",
        "A position below the start of the log fails the poll with 1, when the policy is none"
    ) { stage in
        let topic = try await retiredTopic(stage)
        let consumer = try await stage.consumer(group: nil) { $0.offsetReset = .none }
        try await consumer.assign([CommittedOffset(TopicPartition(topic, 0), 0)])
        try await stage.mustFail(.offsetOutOfRange, "polling below the start") {
            _ = try await stage.pollQuietly(consumer)
        }
    }

    private static let belowStartReset = ContractCase.kafka(
        "retention/below-start-earliest",
        "A position below the start of the log goes to the start, by earliest: a silent gap"
    ) { stage in
        let topic = try await retiredTopic(stage)
        let consumer = try await stage.consumer(group: nil)
        try await consumer.assign([CommittedOffset(TopicPartition(topic, 0), 0)])
        try expect(try await stage.pollQuietly(consumer).values, equals: [], "what is left")
        try await stage.produce(["c"], to: topic)
        let records = try await stage.poll(consumer, count: 1)
        try expect(records.map(\.offset), equals: [2], "the offset that it goes on with")
    }

    private static let compaction = ContractCase.kafka(
        "retention/compaction", "Compaction keeps each key's last value, and the offsets of what is left"
    ) { stage in
        let topic = try await stage.topic {
            $0.isCompacted = true
            $0.segmentSpan = .milliseconds(500)
        }
        let producer = try await stage.producer()
        let keys = ["x", "y", "x", "z", "y", "x"]
        for (number, key) in keys.enumerated() {
            let value: Payload? = key == "z" ? nil : .json(.string("v\(number)"))
            _ = try await producer.send([ProducerRecord(topic: topic, partition: 0, key: key, value: value)])
        }
        // The active segment is never compacted: another record, later, closes it.
        try await stage.clock.sleep(for: .seconds(1))
        _ = try await producer.send([ProducerRecord(topic: topic, partition: 0, key: "last", value: .json("v6"))])
        try await stage.until("the log is compacted", within: .seconds(90)) {
            try await stage.clock.sleep(for: .seconds(1))
            return try await stage.read(topic, count: 4).count == 4
        }
        let records = try await stage.read(topic, count: 4)
        try expect(records.map(\.offset), equals: [3, 4, 5, 6], "offsets that are left")
        try expect(records.map(\.key), equals: ["z", "y", "x", "last"], "keys")
        try expect(records.map(\.value), equals: [nil, .json("v4"), .json("v5"), .json("v6")], "values")
        try expect(
            try await stage.administration.logOffsets(of: TopicPartition(topic, 0)).latest, equals: 7, "the log's end")
    }
}
