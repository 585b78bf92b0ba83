import Ports

/// Consumers outside any group: positions, pausing, and what they do without a valid position.
enum KafkaConsumerCases {
    static let all: [ContractCase] = [
        assign, seek, pause, notAssigned, withoutGroup, assignAfterSubscribe, pollLimit, closed, resetLatest,
        resetNone, outOfRangeNone, outOfRangeEarliest, outOfRangeLatest, seekAfterReset,
    ]

    private static func partition(_ topic: String, _ number: Int32 = 0) -> TopicPartition {
        TopicPartition(topic, number)
    }

    private static let assign = ContractCase.kafka(
        "consumers/assign",
        "A consumer that takes a partition by hand begins at the offset given, and its position follows"
    ) { stage in
        let topic = try await stage.topic()
        try await stage.produce(["a", "b", "c", "d"], to: topic)
        let consumer = try await stage.consumer(group: nil)
        try await consumer.assign([CommittedOffset(partition(topic), 1)])
        try expect(consumer.assignment, equals: [partition(topic)], "assignment")
        try expect(consumer.position(partition(topic)), equals: 1, "position before the first poll")
        let records = try await stage.poll(consumer, count: 3)
        try expect(records.values, equals: ["b", "c", "d"], "what it read")
        try expect(consumer.position(partition(topic)), equals: 4, "position after it")
    }

    private static let seek = ContractCase.kafka(
        "consumers/seek", "A seek makes the next poll begin there, back or forth, whatever was fetched already"
    ) { stage in
        let topic = try await stage.topic()
        try await stage.produce(["a", "b", "c", "d"], to: topic)
        let consumer = try await stage.consumer(group: nil)
        try await consumer.assign([CommittedOffset(partition(topic), 0)])
        try expect(try await stage.poll(consumer, count: 4).values, equals: ["a", "b", "c", "d"], "the first time")
        try await consumer.seek(to: CommittedOffset(partition(topic), 1))
        try expect(consumer.position(partition(topic)), equals: 1, "position")
        try expect(try await stage.poll(consumer, count: 3).values, equals: ["b", "c", "d"], "after seeking back")
        try await consumer.seek(to: CommittedOffset(partition(topic), 0))
        try await consumer.seek(to: CommittedOffset(partition(topic), 3))
        try expect(try await stage.poll(consumer, count: 1).values, equals: ["d"], "after seeking forth")
    }

    private static let pause = ContractCase.kafka(
        "consumers/pause", "A paused partition gives nothing until it is resumed, where it was; others go on"
    ) { stage in
        let topic = try await stage.topic(partitions: 2, replicas: 1)
        try await stage.produce(["a0", "b0"], to: topic, partition: 0)
        try await stage.produce(["a1"], to: topic, partition: 1)
        let consumer = try await stage.consumer(group: nil)
        try await consumer.assign([CommittedOffset(partition(topic, 0), 0), CommittedOffset(partition(topic, 1), 0)])
        try expect(try await stage.poll(consumer, count: 3).values.sorted(), equals: ["a0", "a1", "b0"], "all")
        try consumer.pause([partition(topic, 0)])
        try await stage.produce(["c0"], to: topic, partition: 0)
        try await stage.produce(["b1"], to: topic, partition: 1)
        try expect(try await stage.poll(consumer, count: 1).values, equals: ["b1"], "while 0 is paused")
        try expect(try await stage.pollQuietly(consumer).values, equals: [], "what came of the paused one")
        try consumer.resume([partition(topic, 0)])
        try expect(try await stage.poll(consumer, count: 1).values, equals: ["c0"], "after it was resumed")
    }

    private static let notAssigned = ContractCase.kafka(
        "consumers/not-assigned", "Seeking in a partition that is not assigned is refused, and so is pausing it"
    ) { stage in
        let topic = try await stage.topic(partitions: 2, replicas: 1)
        let consumer = try await stage.consumer(group: nil)
        try await consumer.assign([CommittedOffset(partition(topic, 0), 0)])
        try await stage.mustFail(.wrongState, "seeking in another partition") {
            try await consumer.seek(to: CommittedOffset(partition(topic, 1), 0))
        }
        try await stage.mustFail(.wrongState, "pausing another partition") { try consumer.pause([partition(topic, 1)]) }
        try expect(consumer.position(partition(topic, 1)), equals: nil, "position of another partition")
    }

    private static let withoutGroup = ContractCase.kafka(
        "consumers/without-group", "Without a group id nothing is subscribed to and nothing is committed: 24"
    ) { stage in
        let topic = try await stage.topic(replicas: 1)
        let consumer = try await stage.consumer(group: nil)
        let position = CommittedOffset(partition(topic), 0)
        try await stage.mustFail(.invalidGroupID, "subscribing") {
            try await consumer.subscribe(to: [topic], listener: RebalanceListener())
        }
        try await stage.mustFail(.invalidGroupID, "committing") { try await consumer.commit([position]) }
        try await stage.mustFail(.invalidGroupID, "asking for offsets") {
            _ = try await consumer.committed([partition(topic)])
        }
    }

    private static let assignAfterSubscribe = ContractCase.kafka(
        "consumers/assign-after-subscribe", "A consumer that subscribed cannot take partitions by hand as well"
    ) { stage in
        let topic = try await stage.topic(replicas: 1)
        let member = try await stage.member(of: stage.cluster.uniqueName("group"), topic)
        try await stage.mustFail(.wrongState, "assigning by hand") {
            try await member.consumer.assign([CommittedOffset(partition(topic), 0)])
        }
    }

    private static let pollLimit = ContractCase.kafka(
        "consumers/poll-limit", "A poll returns at most as many records as it was asked for, and none is left out"
    ) { stage in
        let topic = try await stage.topic()
        let values = (0..<25).map { "v\($0)" }
        try await stage.produce(values, to: topic)
        let consumer = try await stage.consumer(group: nil)
        try await consumer.assign([CommittedOffset(partition(topic), 0)])
        var read: [String] = []
        while read.count < 25 {
            let records = try await consumer.poll(maximumRecords: 10, timeout: .seconds(10))
            try expect((1...10).contains(records.count), "a poll returned \(records.count) records")
            read += records.values
        }
        try expect(read, equals: values, "what was read")
    }

    private static let closed = ContractCase.kafka(
        "consumers/closed", "A closed client refuses every call, and closing it again does nothing"
    ) { stage in
        let topic = try await stage.topic(replicas: 1)
        let consumer = try await stage.consumer(group: nil)
        try await consumer.assign([CommittedOffset(partition(topic), 0)])
        await consumer.close()
        await consumer.close()
        try await stage.mustFail(.wrongState, "polling") {
            _ = try await consumer.poll(maximumRecords: 1, timeout: .milliseconds(100))
        }
        let member = try await stage.consumer(group: stage.cluster.uniqueName("group"))
        try await member.assign([CommittedOffset(partition(topic), 0)])
        await member.close()
        try await stage.mustFail(.wrongState, "committing") {
            try await member.commit([CommittedOffset(partition(topic), 0)])
        }
        try await stage.mustFail(.wrongState, "asking for offsets") {
            _ = try await member.committed([partition(topic)])
        }
        let producer = try await stage.producer()
        await producer.close()
        await producer.close()
        try await stage.mustFail(.wrongState, "sending") {
            _ = try await producer.send(KafkaStage.records(["a"], topic))
        }
    }

    // MARK: Without a valid position

    private static let resetLatest = ContractCase.kafka(
        "consumers/reset-latest", "auto.offset.reset latest skips what was there before, without a word"
    ) { stage in
        let topic = try await stage.topic()
        try await stage.produce(["skipped"], to: topic)
        let member = try await stage.member(of: stage.cluster.uniqueName("group"), topic) { $0.offsetReset = .latest }
        try await stage.poll(member, until: "it has the partition") { member.partitions == [0] }
        // Its position is where the log ended when it asked.
        try await stage.poll(member, for: .seconds(2))
        try await stage.produce(["seen"], to: topic)
        try await stage.poll(member, until: "a record") { !member.records.isEmpty }
        try expect(member.records.values, equals: ["seen"], "what it read")
    }

    private static let resetNone = ContractCase.kafka(
        "consumers/reset-none", "auto.offset.reset none: a poll fails until a position is set"
    ) { stage in
        let topic = try await stage.topic()
        try await stage.produce(["a"], to: topic)
        let member = try await stage.member(of: stage.cluster.uniqueName("group"), topic) { $0.offsetReset = .none }
        for _ in 0..<2 {
            try await stage.mustFail(.noOffset, "polling without an offset") {
                try await stage.poll(member, for: .seconds(10))
            }
        }
    }

    private static let seekAfterReset = ContractCase.kafka(
        "consumers/seek-after-reset-none", "With a position set, a consumer without offset goes on"
    ) { stage in
        let topic = try await stage.topic()
        try await stage.produce(["a", "b"], to: topic)
        let member = try await stage.member(of: stage.cluster.uniqueName("group"), topic) { $0.offsetReset = .none }
        try await stage.mustFail(.noOffset, "polling without an offset") {
            try await stage.poll(member, for: .seconds(10))
        }
        try await member.consumer.seek(to: CommittedOffset(partition(topic), 1))
        try await stage.poll(member, until: "a record") { !member.records.isEmpty }
        try expect(member.records.values, equals: ["b"], "what it read")
    }

    /// What a consumer reads whose position is beyond the end of the log.
    private static func readOutOfRange(_ stage: KafkaStage, _ reset: OffsetReset) async throws -> [String] {
        let topic = try await stage.topic()
        try await stage.produce(["a", "b"], to: topic)
        let consumer = try await stage.consumer(group: nil) { $0.offsetReset = reset }
        try await consumer.assign([CommittedOffset(partition(topic), 100)])
        var records = try await stage.pollQuietly(consumer)
        try await stage.produce(["c"], to: topic)
        records += try await stage.poll(consumer, count: 1)
        return records.values
    }

    private static let outOfRangeNone = ContractCase.kafka(
        "consumers/out-of-range-none",
        "A position that the log does not have fails the poll with 1, when the policy is none"
    ) { stage in
        let error = try await stage.mustFail(.offsetOutOfRange, "polling beyond the end") {
            _ = try await readOutOfRange(stage, .none)
        }
        try expect(error.isFatal, equals: false, "the consumer can go on")
    }

    private static let outOfRangeEarliest = ContractCase.kafka(
        "consumers/out-of-range-earliest",
        "A position that the log does not have begins again at the start, by earliest"
    ) { stage in
        try expect(try await readOutOfRange(stage, .earliest), equals: ["a", "b", "c"], "what it read")
    }

    private static let outOfRangeLatest = ContractCase.kafka(
        "consumers/out-of-range-latest", "A position that the log does not have goes to the end, by latest"
    ) { stage in
        try expect(try await readOutOfRange(stage, .latest), equals: ["c"], "what it read")
    }
}
