import Ports

/// Replication over three brokers: who is in sync, what is committed, what survives the death of a leader.
enum KafkaReplicationCases {
    static let all: [ContractCase] = [
        leaderCrash, notEnoughReplicas, leaderIgnoresMinimum, afterAppend, highWatermark, acknowledgedByLeaderOnly,
        noUncleanElection, uncleanElection, producerAcrossFailover,
    ]

    private static let leaderCrash = ContractCase.kafka(
        "replication/leader-crash",
        "What all in-sync replicas have survives the death of the leader, which comes back as follower"
    ) { stage in
        let topic = try await stage.topic { $0.minimumInSyncReplicas = 2 }
        try await stage.produce(["a", "b"], to: topic)
        let leader = try await stage.leader(of: topic)
        try await stage.cluster.crash(leader)
        try await stage.until("another leads") {
            let state = try await stage.cluster.replicas(of: TopicPartition(topic, 0))
            return state.leader != nil && state.leader != leader
        }
        let written = try await stage.produce(["c"], to: topic)
        try expect(written[0].offset, equals: 2, "the next offset")
        try await stage.cluster.start(leader)
        try await stage.until("it is in sync again") {
            try await stage.cluster.replicas(of: TopicPartition(topic, 0)).inSync == [1, 2, 3]
        }
        try expect(try await stage.read(topic, count: 3).values, equals: ["a", "b", "c"], "what is there")
    }

    private static let producerAcrossFailover = ContractCase.kafka(
        "replication/producer-across-failover",
        "A producer's records go on in order, each once, when the leader dies under way"
    ) { stage in
        let topic = try await stage.topic { $0.minimumInSyncReplicas = 2 }
        let producer = try await stage.producer { $0.requestTimeout = .seconds(2) }
        var values: [String] = []
        let leader = try await stage.leader(of: topic)
        for number in 0..<40 {
            if number == 20 { try await stage.cluster.crash(leader) }
            values.append("v\(number)")
            _ = try await producer.send(KafkaStage.records(["v\(number)"], topic))
        }
        try await stage.cluster.start(leader)
        try expect(try await stage.read(topic, count: 40).values, equals: values, "what is there")
    }

    /// Waits until a follower that was killed has left the in-sync replicas.
    private static func crashFollower(_ stage: KafkaStage, _ topic: String) async throws -> Int {
        let follower = try await stage.followers(of: topic)[0]
        try await stage.cluster.crash(follower)
        try await stage.until("the follower is out of sync") {
            try await stage.cluster.replicas(of: TopicPartition(topic, 0)).inSync.count == 2
        }
        return follower
    }

    private static let notEnoughReplicas = ContractCase.kafka(
        "replication/not-enough-replicas",
        "With acks=all and too few in sync nothing is written (19 until the delivery timeout)"
    ) { stage in
        let topic = try await stage.topic { $0.minimumInSyncReplicas = 3 }
        let producer = try await stage.producer {
            $0.deliveryTimeout = .seconds(6)
            $0.retryBackoff = .seconds(1)
        }
        try await stage.produce(["a"], to: topic)
        let follower = try await crashFollower(stage, topic)
        // The leader may not know yet that the follower is gone, and a request may be unanswered at the timeout: then the
        // producer does not know. It has to know of one of five.
        var refused: String?
        for number in 0..<5 where refused == nil {
            let error = try await stage.mustFail(.messageTimedOut, "sending") {
                _ = try await producer.send(KafkaStage.records(["b\(number)"], topic))
            }
            if error.outcome == .noEffect { refused = "b\(number)" }
        }
        guard let refused else { throw ContractFailure("the outcome of five records is unknown") }
        try await stage.cluster.start(follower)
        try await stage.until("the producer goes on") {
            (try? await producer.send(KafkaStage.records(["c"], topic))) != nil
        }
        let values = try await stage.read(topic, count: 2).values
        try expect(!values.contains(refused), "\(refused) was refused, so it is not among \(values)")
        try expect(values.last, equals: "c", "the last of \(values)")
    }

    private static let leaderIgnoresMinimum = ContractCase.kafka(
        "replication/acks-leader-ignores-minimum", "min.insync.replicas is no matter for acks=1"
    ) { stage in
        let topic = try await stage.topic { $0.minimumInSyncReplicas = 3 }
        let follower = try await crashFollower(stage, topic)
        let producer = try await stage.producer {
            $0.acknowledgement = .leader
            $0.isIdempotent = false
        }
        try expect(try await producer.send(KafkaStage.records(["a"], topic))[0].offset, equals: 0, "offset")
        try await stage.cluster.start(follower)
        try expect(try await stage.read(topic, count: 1).values, equals: ["a"], "what is there once all are in sync")
    }

    private static let afterAppend = ContractCase.kafka(
        "replication/not-enough-replicas-after-append",
        "A record whose replicas become too few while it waits for them has been written although it failed (20)"
    ) { stage in
        let topic = try await stage.topic { $0.minimumInSyncReplicas = 3 }
        let producer = try await stage.producer { $0.deliveryTimeout = .seconds(20) }
        _ = try await producer.send(KafkaStage.records(["a"], topic))
        let follower = try await stage.followers(of: topic)[0]
        try await stage.cluster.pause(follower)
        let error = try await stage.mustFail(.messageTimedOut, "sending") {
            _ = try await producer.send(KafkaStage.records(["b"], topic))
        }
        try expect(error.outcome != .noEffect, "it may have been written: \(error)")
        try await stage.cluster.resume(follower)
        try expect(try await stage.read(topic, count: 2).values, equals: ["a", "b"], "what is there, once each")
    }

    private static let highWatermark = ContractCase.kafka(
        "replication/high-watermark",
        "A record that an in-sync replica has not got is not read, although its leader acknowledged it"
    ) { stage in
        let topic = try await stage.topic()
        try await stage.produce(["a"], to: topic)
        let followers = try await stage.followers(of: topic)
        try await stage.cluster.pause(followers[0])
        let producer = try await stage.producer {
            $0.acknowledgement = .leader
            $0.isIdempotent = false
        }
        try expect(try await producer.send(KafkaStage.records(["b"], topic))[0].offset, equals: 1, "its offset")
        try expect(
            try await stage.administration.logOffsets(of: TopicPartition(topic, 0)),
            equals: LogOffsets(earliest: 0, latest: 1), "the log's end below the high watermark")
        try expect(
            try await stage.read(topic, count: 1, isReadCommitted: false).values, equals: ["a"], "what is read")
        try await stage.cluster.resume(followers[0])
        try expect(try await stage.read(topic, count: 2).values, equals: ["a", "b"], "what is read afterwards")
    }

    private static let acknowledgedByLeaderOnly = ContractCase.kafka(
        "replication/acks-leader-is-lost",
        "What only the leader has is lost with it: its offset is another record's afterwards"
    ) { stage in
        let topic = try await stage.topic()
        try await stage.produce(["a"], to: topic)
        let leader = try await stage.leader(of: topic)
        let followers = try await stage.followers(of: topic)
        let producer = try await stage.producer {
            $0.acknowledgement = .leader
            $0.isIdempotent = false
        }
        _ = try await producer.send(KafkaStage.records(["b"], topic))
        try await stage.until("the followers have what is there") {
            try await stage.administration.logOffsets(of: TopicPartition(topic, 0)).latest == 2
        }
        for follower in followers { try await stage.cluster.pause(follower) }
        // Longer than a fetch waits at the leader (replica.fetch.wait.max.ms): no answer is under way to a follower that
        // would find it when it goes on.
        try await stage.clock.sleep(for: .milliseconds(1_500))
        try expect(try await producer.send(KafkaStage.records(["lost"], topic))[0].offset, equals: 2, "its offset")
        try await stage.cluster.crash(leader)
        for follower in followers { try await stage.cluster.resume(follower) }
        try await stage.until("another leads") {
            let state = try await stage.cluster.replicas(of: TopicPartition(topic, 0))
            return state.leader != nil && state.leader != leader
        }
        try expect(try await stage.produce(["c"], to: topic)[0].offset, equals: 2, "the next record's offset")
        try await stage.cluster.start(leader)
        try await stage.until("the old leader is in sync again: its log was truncated") {
            try await stage.cluster.replicas(of: TopicPartition(topic, 0)).inSync == [1, 2, 3]
        }
        try expect(try await stage.read(topic, count: 3).values, equals: ["a", "b", "c"], "what is there")
    }

    /// Leaves only a replica up that lacks the last record: the follower of two is killed, a record written, the leader
    /// killed, and the follower started.
    private static func leaveStaleReplica(
        _ stage: KafkaStage, allowsUnclean: Bool
    ) async throws -> (topic: String, leader: Int, stale: Int) {
        let topic = try await stage.topic(replicas: 2) { $0.allowsUncleanLeaderElection = allowsUnclean }
        try await stage.produce(["a"], to: topic)
        let leader = try await stage.leader(of: topic)
        let follower = try await stage.followers(of: topic)[0]
        try await stage.cluster.crash(follower)
        try await stage.until("the leader is alone in sync") {
            try await stage.cluster.replicas(of: TopicPartition(topic, 0)).inSync == [leader]
        }
        try await stage.produce(["b"], to: topic)
        try await stage.cluster.crash(leader)
        try await stage.cluster.start(follower)
        return (topic, leader, follower)
    }

    private static let noUncleanElection = ContractCase.kafka(
        "replication/no-unclean-election",
        "While only a replica that is not in sync is up nobody leads, and nothing is lost"
    ) { stage in
        let (topic, leader, _) = try await leaveStaleReplica(stage, allowsUnclean: false)
        try await stage.until("nobody leads") {
            try await stage.cluster.replicas(of: TopicPartition(topic, 0)).leader == nil
        }
        let producer = try await stage.producer { $0.deliveryTimeout = .seconds(4) }
        let error = try await stage.mustFail(.messageTimedOut, "sending while nobody leads") {
            _ = try await producer.send(KafkaStage.records(["c"], topic))
        }
        try expect(error.outcome, equals: .noEffect, "outcome")
        try await stage.cluster.start(leader)
        try expect(try await stage.read(topic, count: 2).values, equals: ["a", "b"], "what is there")
    }

    private static let uncleanElection = ContractCase.kafka(
        "replication/unclean-election",
        "Where it is allowed, a replica that is not in sync leads, and what it lacks is lost"
    ) { stage in
        let (topic, leader, stale) = try await leaveStaleReplica(stage, allowsUnclean: true)
        try await stage.until("the stale replica leads") {
            try await stage.cluster.replicas(of: TopicPartition(topic, 0)).leader == stale
        }
        try expect(try await stage.produce(["c"], to: topic)[0].offset, equals: 1, "the next record's offset")
        try await stage.cluster.start(leader)
        try await stage.until("the old leader is in sync: its log was truncated") {
            try await stage.cluster.replicas(of: TopicPartition(topic, 0)).inSync.count == 2
        }
        try expect(try await stage.read(topic, count: 2).values, equals: ["a", "c"], "what is there")
    }
}
