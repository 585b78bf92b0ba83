import Ports

/// Membership of consumer groups: who gets what, what members are told, and in which order.
enum KafkaGroupCases {
    static let all: [ContractCase] = [
        single, eager, cooperative, handOver, fewerPartitions, roundRobin, sessionTimeout, protocols, staticMember,
        fencedInstance, fencedCommit, seekWhenAssigned, crash, commitWhenClosing, closeWhenCancelled, closeTwice,
        closeDuringPoll,
    ]

    private static let single = ContractCase.kafka(
        "groups/single-member", "A single member is assigned every partition, and reads from the earliest offset"
    ) { stage in
        let topic = try await stage.topic(partitions: 3, replicas: 1)
        for partition: Int32 in 0..<3 { try await stage.produce(["v\(partition)"], to: topic, partition: partition) }
        let member = try await stage.member(of: stage.cluster.uniqueName("group"), topic)
        try await stage.poll(member, until: "three records") { member.records.count == 3 }
        try expect(member.events, equals: ["assigned 0,1,2"], "what it was told")
        try expect(member.records.values.sorted(), equals: ["v0", "v1", "v2"], "what it read")
    }

    private static let eager = ContractCase.kafka(
        "groups/eager", "Eager: a member gives up everything before another joins"
    ) { stage in
        let topic = try await stage.topic(partitions: 4, replicas: 1)
        let group = stage.cluster.uniqueName("group")
        let first = try await stage.member(of: group, topic) { $0.assignmentStrategy = .range }
        try await stage.poll(first, until: "the first has all") { first.partitions.count == 4 }
        let second = try await stage.member(of: group, topic) { $0.assignmentStrategy = .range }
        try await stage.poll(first, second, until: "both have two") {
            first.partitions.count == 2 && second.partitions.count == 2
        }
        try expect(first.events.prefix(2), equals: ["assigned 0,1,2,3", "revoked 0,1,2,3"], "what the first was told")
        try expect(Set(first.partitions + second.partitions), equals: [0, 1, 2, 3], "all partitions have an owner")
    }

    private static let cooperative = ContractCase.kafka(
        "groups/cooperative", "Cooperative: only what moves is given up, and the rest stays where it is"
    ) { stage in
        let topic = try await stage.topic(partitions: 4, replicas: 1)
        let group = stage.cluster.uniqueName("group")
        let first = try await stage.member(of: group, topic)
        try await stage.poll(first, until: "the first has all") { first.partitions.count == 4 }
        let second = try await stage.member(of: group, topic)
        try await stage.poll(first, second, until: "both have two") {
            first.partitions.count == 2 && second.partitions.count == 2
        }
        try expect(first.events.count, equals: 2, "what the first was told: \(first.events)")
        let moved = second.partitions.map { String($0) }.joined(separator: ",")
        try expect(first.events[1], equals: "revoked \(moved)", "the first gave up what the second has")
        try expect(second.events, equals: ["assigned \(moved)"], "what the second was told")
    }

    private static let commitWhenClosing = ContractCase.kafka(
        "groups/commit-when-closing", "What a member commits when its closing revokes its partitions counts"
    ) { stage in
        let topic = try await stage.topic(replicas: 1)
        try await stage.produce(["a", "b", "c"], to: topic)
        let partition = TopicPartition(topic, 0)
        let group = stage.cluster.uniqueName("group")
        let member = try await stage.member(of: group, topic)
        try await stage.poll(member, until: "three records") { member.records.count == 3 }
        member.whenRevoked { [consumer = member.consumer] _ in
            try? await consumer.commit([CommittedOffset(partition, 2)])
        }
        await member.consumer.close()
        let next = try await stage.member(of: group, topic)
        try await stage.poll(next, until: "a record") { !next.records.isEmpty }
        try expect(next.records.values, equals: ["c"], "what the next member reads")
    }

    private static let closeWhenCancelled = ContractCase.kafka(
        "groups/close-when-cancelled",
        "A member that closes in a task that was cancelled gives its partitions back, and what it commits then counts"
    ) { stage in
        let topic = try await stage.topic(replicas: 1)
        try await stage.produce(["a", "b", "c"], to: topic)
        let partition = TopicPartition(topic, 0)
        let group = stage.cluster.uniqueName("group")
        let member = try await stage.member(of: group, topic) { $0.sessionTimeout = .seconds(45) }
        try await stage.poll(member, until: "three records") { member.records.count == 3 }
        let consumer = member.consumer
        member.whenRevoked { _ in try? await consumer.commit([CommittedOffset(partition, 2)]) }
        let clock = stage.clock
        let wasCancelled = await withTaskGroup(of: Bool.self) { tasks in
            tasks.addTask {
                do {
                    _ = try await consumer.poll(maximumRecords: 1, timeout: .seconds(60))
                } catch {}
                await consumer.close()
                return Task.isCancelled
            }
            try? await clock.sleep(for: .seconds(1))
            tasks.cancelAll()
            return await tasks.next() == true
        }
        try expect(wasCancelled, equals: true, "whether the task that closed was cancelled")
        let next = try await stage.member(of: group, topic) { $0.sessionTimeout = .seconds(45) }
        try await stage.poll(next, until: "a record", within: .seconds(10)) { !next.records.isEmpty }
        try expect(next.records.values, equals: ["c"], "what the next member reads")
    }

    private static let closeTwice = ContractCase.kafka(
        "groups/close-twice", "Of two tasks that close one member both come to an end, and the member has left"
    ) { stage in
        let topic = try await stage.topic(replicas: 1)
        let group = stage.cluster.uniqueName("group")
        let member = try await stage.member(of: group, topic) { $0.sessionTimeout = .seconds(45) }
        try await stage.poll(member, until: "it has the partition") { member.partitions == [0] }
        let consumer = member.consumer
        let start = stage.clock.monotonicNow
        async let first: Void = consumer.close()
        async let second: Void = consumer.close()
        _ = await (first, second)
        // Neither is left to the ten seconds after which a closing is given up.
        let span = stage.clock.monotonicNow - start
        try expect(span < .seconds(9), equals: true, "whether both have ended by themselves")
        let next = try await stage.member(of: group, topic) { $0.sessionTimeout = .seconds(45) }
        try await stage.poll(next, until: "the next member has it", within: .seconds(10)) { next.partitions == [0] }
    }

    private static let closeDuringPoll = ContractCase.kafka(
        "groups/close-during-poll", "A poll that waits while another task closes the consumer ends with nothing"
    ) { stage in
        let topic = try await stage.topic(replicas: 1)
        let consumer = try await stage.consumer(group: nil)
        try await consumer.assign([CommittedOffset(TopicPartition(topic, 0), 0)])
        async let poll = consumer.poll(maximumRecords: 1, timeout: .seconds(60))
        try await stage.clock.sleep(for: .seconds(1))
        await consumer.close()
        try expect(try await poll.values, equals: [], "what the poll returns")
        try await stage.mustFail(.wrongState, "the next poll") {
            _ = try await consumer.poll(maximumRecords: 1, timeout: .seconds(60))
        }
    }

    private static let handOver = ContractCase.kafka(
        "groups/leaving", "A member that closes is told to give up its partitions, and another has them at once"
    ) { stage in
        let topic = try await stage.topic(partitions: 2, replicas: 1)
        let group = stage.cluster.uniqueName("group")
        let first = try await stage.member(of: group, topic) { $0.sessionTimeout = .seconds(45) }
        let second = try await stage.member(of: group, topic) { $0.sessionTimeout = .seconds(45) }
        try await stage.poll(first, second, until: "both have one") {
            first.partitions.count == 1 && second.partitions.count == 1
        }
        first.forgetEvents()
        let owned = first.partitions
        await first.consumer.close()
        try expect(first.events, equals: ["revoked \(owned[0])"], "what it was told")
        try await stage.poll(second, until: "the other has both", within: .seconds(10)) {
            second.partitions.count == 2
        }
    }

    private static let fewerPartitions = ContractCase.kafka(
        "groups/fewer-partitions", "With fewer partitions than members, a member has none and reads nothing"
    ) { stage in
        let topic = try await stage.topic()
        let group = stage.cluster.uniqueName("group")
        let first = try await stage.member(of: group, topic)
        try await stage.poll(first, until: "the first has it") { first.partitions == [0] }
        let second = try await stage.member(of: group, topic)
        try await stage.poll(first, second, for: .seconds(3))
        try expect(first.partitions.count + second.partitions.count, equals: 1, "partitions that have an owner")
        try await stage.produce(["a"], to: topic)
        try await stage.poll(first, second, until: "one has read it") { first.records.count + second.records.count > 0 }
        try await stage.poll(first, second, for: .seconds(1))
        try expect(first.records.count + second.records.count, equals: 1, "times that it was read")
    }

    private static let roundRobin = ContractCase.kafka(
        "groups/round-robin", "Round robin deals the partitions of all topics out in turn"
    ) { stage in
        let topics = [
            try await stage.topic(partitions: 1, replicas: 1), try await stage.topic(partitions: 3, replicas: 1),
        ]
        let group = stage.cluster.uniqueName("group")
        var members: [GroupMember] = []
        for _ in 0..<2 {
            members.append(
                try await stage.member(of: group, topics[0], topics[1]) { $0.assignmentStrategy = .roundRobin })
        }
        let (first, second) = (members[0], members[1])
        try await stage.poll(first, second, until: "both have two") {
            first.partitions.count == 2 && second.partitions.count == 2
        }
        let all = topics.flatMap { topic in (0..<(topic == topics[0] ? 1 : 3)).map { TopicPartition(topic, $0) } }
            .sorted()
        let shares = [first, second].map { $0.consumer.assignment }
        try expect((shares[0] + shares[1]).sorted(), equals: all, "all partitions have an owner")
        for share in shares {
            let positions = share.compactMap { all.firstIndex(of: $0) }
            try expect(positions[1] - positions[0], equals: 2, "a share is every second: \(share)")
        }
    }

    private static let sessionTimeout = ContractCase.kafka(
        "groups/session-timeout-bounds", "A session timeout below group.min.session.timeout.ms is refused with 26"
    ) { stage in
        let topic = try await stage.topic()
        let member = try await stage.member(of: stage.cluster.uniqueName("group"), topic) {
            $0.sessionTimeout = .milliseconds(900)
            $0.heartbeatInterval = .milliseconds(300)
        }
        try await stage.mustFail(.invalidSessionTimeout, "joining") { try await stage.poll(member, for: .seconds(10)) }
    }

    private static let protocols = ContractCase.kafka(
        "groups/inconsistent-protocol", "A member whose assignment strategies no other member knows is refused with 23"
    ) { stage in
        let topic = try await stage.topic(partitions: 2, replicas: 1)
        let group = stage.cluster.uniqueName("group")
        let first = try await stage.member(of: group, topic) { $0.assignmentStrategy = .range }
        try await stage.poll(first, until: "the first has all") { first.partitions.count == 2 }
        let second = try await stage.member(of: group, topic) { $0.assignmentStrategy = .cooperativeSticky }
        try await stage.mustFail(.inconsistentGroupProtocol, "joining") {
            try await stage.poll(second, for: .seconds(10))
        }
        try await stage.poll(first, for: .seconds(1))
        try expect(first.partitions, equals: [0, 1], "the group is as it was")
    }

    private static let staticMember = ContractCase.kafka(
        "groups/static-member",
        "A static member that comes back within its session has its partitions again; nobody else notices"
    ) { stage in
        let topic = try await stage.topic(partitions: 2, replicas: 1)
        let group = stage.cluster.uniqueName("group")
        let settings: @Sendable (String, inout ConsumerSettings) -> Void = { instance, settings in
            settings.groupInstanceID = instance
            settings.sessionTimeout = .seconds(30)
        }
        let first = try await stage.member(of: group, topic) { settings("one", &$0) }
        let second = try await stage.member(of: group, topic) { settings("two", &$0) }
        try await stage.poll(first, second, until: "both have one") {
            first.partitions.count == 1 && second.partitions.count == 1
        }
        let owned = first.partitions
        second.forgetEvents()
        await first.consumer.close()
        try await stage.poll(second, for: .seconds(2))
        let returned = try await stage.member(of: group, topic) { settings("one", &$0) }
        try await stage.poll(returned, second, until: "it has a partition") { !returned.partitions.isEmpty }
        try expect(returned.partitions, equals: owned, "its partition is the same")
        try expect(second.events, equals: [], "what the other was told")
    }

    private static let fencedInstance = ContractCase.kafka(
        "groups/fenced-instance",
        "Of two members with one group.instance.id the older is fenced with 82, which is fatal"
    ) { stage in
        let topic = try await stage.topic(partitions: 2, replicas: 1)
        let group = stage.cluster.uniqueName("group")
        let older = try await stage.member(of: group, topic) { $0.groupInstanceID = "one" }
        try await stage.poll(older, until: "it has all") { older.partitions.count == 2 }
        let newer = try await stage.member(of: group, topic) { $0.groupInstanceID = "one" }
        try await stage.poll(newer, until: "the newer has all") { newer.partitions.count == 2 }
        let error = try await stage.mustFail(.fencedInstanceID, "polling the older") {
            try await stage.poll(older, for: .seconds(10))
        }
        try expect(error.isFatal, "fencing is fatal")
        try await stage.mustFail(.fencedInstanceID, "committing by the older") {
            try await older.consumer.commit([CommittedOffset(TopicPartition(topic, 0), 1)])
        }
    }

    private static let fencedCommit = ContractCase.kafka(
        "groups/fenced-commit", "A fenced static member that does not know it yet has its commit refused with 82"
    ) { stage in
        let topic = try await stage.topic()
        let group = stage.cluster.uniqueName("group")
        let older = try await stage.member(of: group, topic) {
            $0.groupInstanceID = "one"
            // No heartbeat tells it before the commit does.
            $0.heartbeatInterval = .seconds(5)
        }
        try await stage.poll(older, until: "it has it") { older.partitions == [0] }
        let newer = try await stage.member(of: group, topic) { $0.groupInstanceID = "one" }
        try await stage.poll(newer, until: "the newer has it") { newer.partitions == [0] }
        let error = try await stage.mustFail(.fencedInstanceID, "committing by the older") {
            try await older.consumer.commit([CommittedOffset(TopicPartition(topic, 0), 1)])
        }
        try expect(error.isFatal, "fencing is fatal")
        try expect(try await newer.consumer.committed([TopicPartition(topic, 0)]), equals: [], "what is committed")
    }

    private static let seekWhenAssigned = ContractCase.kafka(
        "groups/seek-when-assigned", "A position that is set when partitions come replaces the committed one"
    ) { stage in
        let topic = try await stage.topic()
        try await stage.produce(["a", "b", "c"], to: topic)
        let member = try await stage.member(of: stage.cluster.uniqueName("group"), topic)
        let consumer = member.consumer
        member.whenAssigned { partitions in
            for partition in partitions { try? await consumer.seek(to: CommittedOffset(partition, 2)) }
        }
        try await stage.poll(member, until: "a record") { !member.records.isEmpty }
        try await stage.poll(member, for: .seconds(1))
        try expect(member.records.values, equals: ["c"], "what it read")
    }

    private static let crash = ContractCase.kafka(
        "groups/coordinator-crash",
        "When the coordinator's broker dies, members go on with another, and keep what they have"
    ) { stage in
        let topic = try await stage.topic(partitions: 2)
        let group = stage.cluster.uniqueName("group")
        let member = try await stage.member(of: group, topic) { $0.sessionTimeout = .seconds(45) }
        try await stage.poll(member, until: "it has all") { member.partitions.count == 2 }
        try await member.consumer.commit([CommittedOffset(TopicPartition(topic, 0), 0)])
        let coordinator = try await stage.coordinator(of: group)
        try await stage.cluster.crash(coordinator)
        let offset = CommittedOffset(TopicPartition(topic, 1), 0)
        try await stage.until("a commit succeeds") {
            try await member.poll()
            return (try? await member.consumer.commit([offset])) != nil
        }
        try expect(
            try await member.consumer.committed([TopicPartition(topic, 0), TopicPartition(topic, 1)]).count, equals: 2,
            "both offsets are there")
        try await stage.poll(member, for: .seconds(2))
        try expect(member.events, equals: ["assigned 0,1"], "what it was told")
        try await stage.cluster.start(coordinator)
    }
}
