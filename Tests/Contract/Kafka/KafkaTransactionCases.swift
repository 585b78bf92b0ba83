import Ports

/// Transactions: what is visible to whom and when, offsets in a transaction, fencing, timeouts.
enum KafkaTransactionCases {
    static let all: [ContractCase] = [commit, abort, fencing]

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
}
