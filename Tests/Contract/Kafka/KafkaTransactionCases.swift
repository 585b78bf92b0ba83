import Ports

/// Transactions: what is visible to whom and when, offsets in a transaction, fencing, timeouts.
enum KafkaTransactionCases {
    static let all: [ContractCase] = [
        commit, abort, fencing, markers, lastStableOffset, severalPartitions, states, fencedSend, timeout,
        timeoutBounds,
        offsets, offsetsWithoutRecords, zombieOffsets, coordinatorCrash,
    ]

    private static let commit = ContractCase.kafka(
        "transactions/commit", "A transaction's records are read as committed only after its commit"
    ) { stage in
        let topic = try await stage.topic()
        let producer = try await stage.transactionalProducer(stage.cluster.uniqueName("transaction"))
        try await producer.beginTransaction()
        let written = try await producer.send(KafkaStage.records(["a", "b"], topic))
        try expect(written.map(\.offset), equals: [0, 1], "offsets")
        try expect(try await stage.read(topic, count: 0).values, equals: [], "read_committed before the commit")
        try expect(
            try await stage.read(topic, count: 2, isReadCommitted: false).values, equals: ["a", "b"],
            "read_uncommitted before the commit")
        try await producer.commitTransaction()
        try expect(try await stage.read(topic, count: 2).values, equals: ["a", "b"], "read_committed after it")
    }

    private static let abort = ContractCase.kafka(
        "transactions/abort", "An aborted transaction's records are never read as committed, but uncommitted they are"
    ) { stage in
        let topic = try await stage.topic()
        let producer = try await stage.transactionalProducer(stage.cluster.uniqueName("transaction"))
        try await producer.beginTransaction()
        _ = try await producer.send(KafkaStage.records(["a", "b"], topic))
        try await producer.abortTransaction()
        try await producer.beginTransaction()
        _ = try await producer.send(KafkaStage.records(["c"], topic))
        try await producer.commitTransaction()
        try expect(try await stage.read(topic, count: 1).values, equals: ["c"], "read_committed")
        try expect(
            try await stage.read(topic, count: 3, isReadCommitted: false).values, equals: ["a", "b", "c"],
            "read_uncommitted")
    }

    private static let fencing = ContractCase.kafka(
        "transactions/fencing",
        "A newer producer of the same transactional id fences the older one and aborts what it left"
    ) { stage in
        let topic = try await stage.topic()
        let id = stage.cluster.uniqueName("transaction")
        let older = try await stage.transactionalProducer(id)
        try await older.beginTransaction()
        _ = try await older.send(KafkaStage.records(["lost"], topic))
        let newer = try await stage.transactionalProducer(id)
        let error = try await stage.mustFail(.producerFenced, "the older one's commit") {
            try await older.commitTransaction()
        }
        try expect(error.isFatal, "fencing is fatal")
        try await newer.beginTransaction()
        _ = try await newer.send(KafkaStage.records(["kept"], topic))
        try await newer.commitTransaction()
        try expect(try await stage.read(topic, count: 1).values, equals: ["kept"], "read_committed")
    }

    private static let markers = ContractCase.kafka(
        "transactions/markers-take-offsets",
        "A transaction's marker takes an offset of its own in each partition: gaps are normal"
    ) { stage in
        let topic = try await stage.topic(partitions: 2)
        let producer = try await stage.transactionalProducer(stage.cluster.uniqueName("transaction"))
        var offsets: [Int64?] = []
        for isCommit in [true, false, true] {
            try await producer.beginTransaction()
            offsets += try await producer.send(KafkaStage.records(["a", "b"], topic)).map(\.offset)
            if isCommit { try await producer.commitTransaction() } else { try await producer.abortTransaction() }
        }
        try expect(offsets, equals: [0, 1, 3, 4, 6, 7], "offsets of the records")
        try expect(try await stage.read(topic, count: 4).map(\.offset), equals: [0, 1, 6, 7], "offsets that are read")
        try await stage.until("the last marker is there") {
            try await stage.administration.logOffsets(of: TopicPartition(topic, 0)).latest == 9
        }
        try expect(
            try await stage.administration.logOffsets(of: TopicPartition(topic, 1)).latest, equals: 0,
            "a partition that had no part in it")
    }

    private static let lastStableOffset = ContractCase.kafka(
        "transactions/last-stable-offset",
        "An open transaction holds back whatever comes after it, for readers of committed records"
    ) { stage in
        let topic = try await stage.topic()
        try await stage.produce(["before"], to: topic)
        let producer = try await stage.transactionalProducer(stage.cluster.uniqueName("transaction"))
        try await producer.beginTransaction()
        _ = try await producer.send(KafkaStage.records(["within"], topic))
        try await stage.produce(["after"], to: topic)
        try expect(try await stage.read(topic, count: 1).values, equals: ["before"], "read_committed meanwhile")
        try expect(
            try await stage.read(topic, count: 3, isReadCommitted: false).values,
            equals: ["before", "within", "after"], "read_uncommitted meanwhile")
        try expect(
            try await stage.administration.logOffsets(of: TopicPartition(topic, 0)).latest, equals: 3,
            "the log's end is its high watermark")
        try await producer.abortTransaction()
        try expect(
            try await stage.read(topic, count: 2).values, equals: ["before", "after"], "read_committed afterwards")
    }

    private static let severalPartitions = ContractCase.kafka(
        "transactions/several-partitions", "A transaction ends in all its partitions, of several topics, or in none"
    ) { stage in
        let topics = [try await stage.topic(partitions: 2), try await stage.topic()]
        let producer = try await stage.transactionalProducer(stage.cluster.uniqueName("transaction"))
        for (value, isCommit) in [("no", false), ("yes", true)] {
            try await producer.beginTransaction()
            _ = try await producer.send(
                KafkaStage.records([value], topics[0], 0) + KafkaStage.records([value], topics[0], 1)
                    + KafkaStage.records([value], topics[1]))
            if isCommit { try await producer.commitTransaction() } else { try await producer.abortTransaction() }
        }
        for (topic, partition) in [(topics[0], Int32(0)), (topics[0], 1), (topics[1], 0)] {
            try expect(
                try await stage.read(topic, partition: partition, count: 1).values, equals: ["yes"],
                "what is in \(topic)-\(partition)")
        }
    }

    private static let states = ContractCase.kafka(
        "transactions/states", "Calls that the state of the transaction forbids are refused, without effect"
    ) { stage in
        let topic = try await stage.topic()
        let plain = try await stage.producer()
        try await stage.mustFail(.wrongState, "beginning with a plain producer") { try await plain.beginTransaction() }
        let producer = try await stage.transactionalProducer(stage.cluster.uniqueName("transaction"))
        try await stage.mustFail(.wrongState, "committing nothing") { try await producer.commitTransaction() }
        try await stage.mustFail(.wrongState, "aborting nothing") { try await producer.abortTransaction() }
        try await stage.mustFail(.wrongState, "sending outside") {
            _ = try await producer.send(KafkaStage.records(["a"], topic))
        }
        try await producer.beginTransaction()
        try await stage.mustFail(.wrongState, "beginning twice") { try await producer.beginTransaction() }
        // An empty transaction ends without a word to anybody.
        try await producer.commitTransaction()
        try expect(
            try await stage.administration.logOffsets(of: TopicPartition(topic, 0)).latest, equals: 0, "the log's end")
    }

    private static let fencedSend = ContractCase.kafka(
        "transactions/fenced-send", "A fenced producer's records are refused, and so is its next transaction"
    ) { stage in
        let topic = try await stage.topic()
        let id = stage.cluster.uniqueName("transaction")
        let older = try await stage.transactionalProducer(id)
        try await older.beginTransaction()
        _ = try await older.send(KafkaStage.records(["a"], topic))
        _ = try await stage.transactionalProducer(id)
        let error = try await stage.mustFail(.producerFenced, "sending") {
            _ = try await older.send(KafkaStage.records(["b"], topic))
            try await older.commitTransaction()
        }
        try expect(error.isFatal, "fencing is fatal")
        try await stage.mustFail(.producerFenced, "beginning another") { try await older.beginTransaction() }
        try expect(try await stage.read(topic, count: 0).values, equals: [], "what is read as committed")
    }

    private static let timeout = ContractCase.kafka(
        "transactions/timeout", "A transaction past transaction.timeout.ms is aborted, and its producer fenced"
    ) { stage in
        let topic = try await stage.topic()
        let producer = try await stage.transactionalProducer(stage.cluster.uniqueName("transaction")) {
            $0.transactionTimeout = .seconds(2)
        }
        try await producer.beginTransaction()
        _ = try await producer.send(KafkaStage.records(["a"], topic))
        try await stage.produce(["b"], to: topic)
        try expect(try await stage.read(topic, count: 1).values, equals: ["b"], "what is read once it was aborted")
        let error = try await stage.mustFail(.producerFenced, "committing late") {
            try await producer.commitTransaction()
        }
        try expect(error.isFatal, "it is fatal")
    }

    private static let timeoutBounds = ContractCase.kafka(
        "transactions/timeout-bounds",
        "A transaction timeout above transaction.max.timeout.ms (15 min) is refused with 50"
    ) { stage in
        try await stage.mustFail(.invalidTransactionTimeout, "opening a producer") {
            _ = try await stage.transactionalProducer(stage.cluster.uniqueName("transaction")) {
                $0.transactionTimeout = .minutes(16)
            }
        }
    }

    // MARK: Offsets in a transaction

    /// A member that has read two records of a new topic.
    private static func reader(
        _ stage: KafkaStage, pollInterval: Nanoseconds = .minutes(5)
    ) async throws -> (member: GroupMember, partition: TopicPartition) {
        let topic = try await stage.topic()
        try await stage.produce(["a", "b"], to: topic)
        let member = try await stage.member(of: stage.cluster.uniqueName("group"), topic) {
            $0.maximumPollInterval = pollInterval
        }
        try await stage.poll(member, until: "two records") { member.records.count == 2 }
        return (member, TopicPartition(topic, 0))
    }

    private static let offsets = ContractCase.kafka(
        "transactions/offsets",
        "Offsets that were added to a transaction count with its commit, and never after its abort"
    ) { stage in
        let (member, partition) = try await reader(stage)
        let output = try await stage.topic()
        let producer = try await stage.transactionalProducer(stage.cluster.uniqueName("transaction"))
        try await producer.beginTransaction()
        _ = try await producer.send(KafkaStage.records(["no"], output))
        try await producer.sendOffsets([CommittedOffset(partition, 1)], of: member.consumer)
        try await producer.abortTransaction()
        try expect(try await member.consumer.committed([partition]), equals: [], "after the abort")
        try await producer.beginTransaction()
        _ = try await producer.send(KafkaStage.records(["yes"], output))
        try await producer.sendOffsets([CommittedOffset(partition, 2)], of: member.consumer)
        try await producer.commitTransaction()
        try expect(
            try await member.consumer.committed([partition]), equals: [CommittedOffset(partition, 2)],
            "after the commit")
        try expect(try await stage.read(output, count: 1).values, equals: ["yes"], "what was written")
    }

    private static let offsetsWithoutRecords = ContractCase.kafka(
        "transactions/offsets-only", "A transaction may have offsets and no records"
    ) { stage in
        let (member, partition) = try await reader(stage)
        let producer = try await stage.transactionalProducer(stage.cluster.uniqueName("transaction"))
        try await producer.beginTransaction()
        try await producer.sendOffsets([CommittedOffset(partition, 2)], of: member.consumer)
        try await producer.commitTransaction()
        try expect(
            try await member.consumer.committed([partition]), equals: [CommittedOffset(partition, 2)],
            "what is committed")
    }

    private static let zombieOffsets = ContractCase.kafka(
        "transactions/zombie-offsets",
        "Offsets of a member that was dropped from its group are refused with 25: the transaction has to be aborted"
    ) { stage in
        let (member, partition) = try await reader(stage, pollInterval: .seconds(6))
        let output = try await stage.topic()
        let heir = try await stage.member(of: member.group, partition.topic)
        // The member does not poll any more; the other gets what it had.
        try await stage.poll(heir, until: "the other has the partition") { heir.partitions == [0] }
        let producer = try await stage.transactionalProducer(stage.cluster.uniqueName("transaction"))
        try await producer.beginTransaction()
        _ = try await producer.send(KafkaStage.records(["no"], output))
        let error = try await stage.mustFail(.unknownMemberID, "adding the zombie's offsets") {
            try await producer.sendOffsets([CommittedOffset(partition, 2)], of: member.consumer)
        }
        try expect(error.requiresAbort, "the transaction has to be aborted: \(error)")
        let refusal = try await stage.mustFail(.unknownMemberID, "committing nevertheless") {
            try await producer.commitTransaction()
        }
        try expect(refusal.requiresAbort, "the transaction still has to be aborted")
        try await producer.abortTransaction()
        try expect(try await stage.read(output, count: 0).values, equals: [], "what was written")
        try expect(try await heir.consumer.committed([partition]), equals: [], "what was committed")
        // Afterwards the producer goes on.
        try await producer.beginTransaction()
        _ = try await producer.send(KafkaStage.records(["yes"], output))
        try await producer.commitTransaction()
        try expect(try await stage.read(output, count: 1).values, equals: ["yes"], "what was written afterwards")
    }

    private static let coordinatorCrash = ContractCase.kafka(
        "transactions/coordinator-crash", "A transaction is committed although its coordinator dies before that"
    ) { stage in
        let topic = try await stage.topic { $0.minimumInSyncReplicas = 2 }
        let id = stage.cluster.uniqueName("transaction")
        let producer = try await stage.transactionalProducer(id)
        try await producer.beginTransaction()
        _ = try await producer.send(KafkaStage.records(["a"], topic))
        let coordinator = try await stage.coordinator(ofTransaction: id)
        try await stage.cluster.crash(coordinator)
        try await stage.until("the commit succeeds") {
            do {
                try await producer.commitTransaction()
                return true
            } catch let error as EventLogError where error.outcome == .unknown {
                return false
            }
        }
        try await stage.cluster.start(coordinator)
        try expect(try await stage.read(topic, count: 1).values, equals: ["a"], "what is read as committed")
    }
}
