import Ports

/// Producers: acknowledgements, idempotence, and what is known of a record that was not acknowledged.
enum KafkaProducerCases {
    static let all: [ContractCase] = [
        acknowledgeNothing, idempotenceNeedsAll, order, retryIsWrittenOnce, retryDuplicates, sessionsDoNotShare,
        lateAnswer, neverSent, firstFailure, closeWhenCancelled,
    ]

    private static let acknowledgeNothing = ContractCase.kafka(
        "producers/acks-none", "With acks=0 nobody says where a record was written, but it is"
    ) { stage in
        let topic = try await stage.topic()
        // A broker that does not lead the partition yet drops such records, and nobody is told.
        _ = try await stage.producer().send(KafkaStage.records(["acknowledged"], topic))
        let producer = try await stage.producer {
            $0.acknowledgement = .none
            $0.isIdempotent = false
        }
        let written = try await producer.send(KafkaStage.records(["a", "b"], topic))
        try expect(written.map(\.offset), equals: [nil, nil], "offsets")
        try expect(
            written.map(\.topicPartition), equals: Array(repeating: TopicPartition(topic, 0), count: 2), "partitions")
        try expect(
            try await stage.read(topic, count: 3).values, equals: ["acknowledged", "a", "b"], "what was written")
    }

    private static let closeWhenCancelled = ContractCase.kafka(
        "producers/close-when-cancelled", "A producer that a cancelled task closes sends first what it holds"
    ) { stage in
        let topic = try await stage.topic(replicas: 1)
        let producer = try await stage.producer { $0.linger = .seconds(1) }
        // So that it knows the topic.
        _ = try await producer.send(KafkaStage.records(["a"], topic))
        async let written = producer.send(KafkaStage.records(["b"], topic))
        try await stage.clock.sleep(for: .milliseconds(100))
        await withTaskGroup(of: Void.self) { tasks in
            tasks.addTask { await producer.close() }
            tasks.cancelAll()
        }
        try expect(try await written.map(\.offset), equals: [1], "where the record was written")
        try expect(try await stage.read(topic, count: 2).values, equals: ["a", "b"], "what the log has")
    }

    private static let idempotenceNeedsAll = ContractCase.kafka(
        "producers/idempotence-needs-acks-all", "An idempotent producer without acks=all is refused"
    ) { stage in
        let topic = try await stage.topic()
        for acknowledgement: Acknowledgement in [.none, .leader] {
            let error = try await stage.mustFail(.wrongState, "sending with acks=\(acknowledgement.rawValue)") {
                let producer = try await stage.producer { $0.acknowledgement = acknowledgement }
                _ = try await producer.send(KafkaStage.records(["a"], topic))
            }
            try expect(error.outcome, equals: .noEffect, "outcome")
        }
    }

    private static let order = ContractCase.kafka(
        "producers/order",
        "Calls that are under way at once keep the order in which each sent its records, with no duplicate"
    ) { stage in
        let topic = try await stage.topic()
        let producer = try await stage.producer { $0.batchByteLimit = 500 }
        try await withThrowingTaskGroup(of: Void.self) { group in
            for name in ["a", "b", "c"] {
                group.addTask {
                    _ = try await producer.send(KafkaStage.records((0..<40).map { "\(name)\($0)" }, topic))
                }
            }
            try await group.waitForAll()
        }
        let values = try await stage.read(topic, count: 120).values
        try expect(values.count, equals: 120, "records")
        for name in ["a", "b", "c"] {
            try expect(
                values.filter { $0.hasPrefix(name) }, equals: (0..<40).map { "\(name)\($0)" }, "records of \(name)")
        }
    }

    /// Sends a record to a leader that is paused for longer than a request may take, and reads what came of it.
    private static func sendThroughPause(
        _ stage: KafkaStage, isIdempotent: Bool
    ) async throws -> (topic: String, values: [String]) {
        let topic = try await stage.topic()
        let producer = try await stage.producer {
            $0.isIdempotent = isIdempotent
            $0.requestTimeout = .seconds(1)
            $0.retryBackoff = .milliseconds(500)
        }
        _ = try await producer.send(KafkaStage.records(["a"], topic))
        let leader = try await stage.leader(of: topic)
        try await stage.cluster.pause(leader)
        async let sent = producer.send(KafkaStage.records(["b"], topic))
        try await stage.clock.sleep(for: .seconds(4))
        try await stage.cluster.resume(leader)
        let written = try await sent
        try expect(written.count, equals: 1, "records acknowledged")
        return (topic, try await stage.read(topic, count: 2).values)
    }

    private static let retryIsWrittenOnce = ContractCase.kafka(
        "producers/idempotence",
        "A batch that an idempotent producer sends again, not knowing of its fate, is written once"
    ) { stage in
        try expect(
            try await sendThroughPause(stage, isIdempotent: true).values, equals: ["a", "b"], "what was written")
    }

    private static let retryDuplicates = ContractCase.kafka(
        "producers/no-idempotence", "A batch that a plain producer sends again may be written again"
    ) { stage in
        let values = try await sendThroughPause(stage, isIdempotent: false).values
        try expect(values.first, equals: "a", "the first")
        try expect(values.filter { $0 == "b" }.count > 1, "it was written more than once: \(values)")
    }

    private static let sessionsDoNotShare = ContractCase.kafka(
        "producers/sessions", "Idempotence ends with the producer: another one that sends the same writes it again"
    ) { stage in
        let topic = try await stage.topic()
        for _ in 0..<2 {
            let producer = try await stage.producer()
            _ = try await producer.send(KafkaStage.records(["a"], topic))
            await producer.close()
        }
        try expect(try await stage.read(topic, count: 2).values, equals: ["a", "a"], "what was written")
    }

    private static let lateAnswer = ContractCase.kafka(
        "producers/delivery-timeout",
        "A record that was sent and not acknowledged in time fails with its outcome unknown"
    ) { stage in
        let topic = try await stage.topic()
        let producer = try await stage.producer {
            $0.requestTimeout = .seconds(1)
            $0.deliveryTimeout = .seconds(3)
        }
        _ = try await producer.send(KafkaStage.records(["a"], topic))
        let leader = try await stage.leader(of: topic)
        try await stage.cluster.pause(leader)
        let error = try await stage.mustFail(.messageTimedOut, "sending to a paused leader") {
            _ = try await producer.send(KafkaStage.records(["b"], topic))
        }
        try expect(error.outcome, equals: .unknown, "outcome")
        try expect(error.isFatal, equals: false, "the producer can go on")
        try await stage.cluster.resume(leader)
        try await stage.until("the producer goes on") {
            (try? await producer.send(KafkaStage.records(["c"], topic))) != nil
        }
        let values = try await stage.read(topic, count: 2).values
        try expect(values.first, equals: "a", "the first")
        try expect(values.last, equals: "c", "the last")
        try expect(values.filter { $0 == "b" }.count <= 1, "the one in doubt is there once or not at all: \(values)")
    }

    private static let neverSent = ContractCase.kafka(
        "producers/never-sent", "A record that no broker was ever offered fails at its delivery timeout, without effect"
    ) { stage in
        let topic = try await stage.topic(replicas: 1)
        let producer = try await stage.producer { $0.deliveryTimeout = .seconds(3) }
        _ = try await producer.send(KafkaStage.records(["a"], topic))
        let leader = try await stage.leader(of: topic)
        try await stage.cluster.crash(leader)
        // The connection is known to be gone before anything is sent.
        try await stage.clock.sleep(for: .seconds(1))
        let error = try await stage.mustFail(.messageTimedOut, "sending to a leader that is down") {
            _ = try await producer.send(KafkaStage.records(["b"], topic))
        }
        try expect(error.outcome, equals: .noEffect, "outcome")
        try await stage.cluster.start(leader)
        try await stage.until("the producer goes on") {
            (try? await producer.send(KafkaStage.records(["c"], topic))) != nil
        }
        try expect(try await stage.read(topic, count: 2).values, equals: ["a", "c"], "what was written")
    }

    private static let firstFailure = ContractCase.kafka(
        "producers/first-failure", "Of a call's records that fail the first is reported, and the others are written"
    ) { stage in
        let topic = try await stage.topic(partitions: 2, replicas: 1)
        let producer = try await stage.producer()
        _ = try await producer.send(KafkaStage.records(["a"], topic))
        let huge = ProducerRecord(
            topic: topic, partition: 0, key: nil, value: .bytes(Array(repeating: 0x78, count: 1_200_000)))
        let records =
            KafkaStage.records(["b"], topic) + [huge] + KafkaStage.records(["c"], topic, 9)
            + KafkaStage.records(["d"], topic)
        try await stage.mustFail(.messageTooLarge, "sending") { _ = try await producer.send(records) }
        try expect(try await stage.read(topic, count: 3).values, equals: ["a", "b", "d"], "what was written")
    }
}
