#if Production
    import Ports

    /// What a consumer knows of its group and its partitions, as its own polls have told it.
    struct ConsumerState {
        enum Membership {
            /// Not subscribed, or not polled since.
            case none
            /// Joins, or has given up its partitions and joins again.
            case joining
            case member
        }

        struct Partition {
            var position: Int64?
            /// Why nothing comes from it until a seek: it has no valid position, and `auto.offset.reset` is none.
            var failure: EventLogError?
        }

        var isClosed = false
        var fatalError: EventLogError?
        var topics: [String] = []
        var listener = RebalanceListener()
        var membership = Membership.none
        var partitions: [TopicPartition: Partition] = [:]
        /// Wishes to pause (or resume) that librdkafka does not know of yet.
        var pauseChanges: [TopicPartition: Bool] = [:]
        /// Where to begin in partitions that the listener is being told of; `nil` outside of that.
        var startingPositions: [TopicPartition: Int64]?
        /// When the last poll ended, in ``AdapterSystem/SocketReactor/now``.
        var lastPollAt: Int64?
        /// The group has dropped this member for not polling: what it is told to give up may have another owner.
        var isOverdue = false

        var isSubscribed: Bool { !topics.isEmpty }

        /// Partitions have come to this member.
        mutating func assign(_ new: [TopicPartition]) {
            membership = .member
            isOverdue = false
            for partition in new where partitions[partition] == nil { partitions[partition] = Partition() }
        }

        mutating func drop(_ gone: [TopicPartition]) {
            for partition in gone {
                partitions[partition] = nil
                pauseChanges[partition] = nil
            }
        }

        mutating func advance(to positions: [CommittedOffset]) {
            for position in positions { partitions[position.topicPartition]?.position = position.offset }
        }

        mutating func takePauseChanges() -> (paused: [TopicPartition], resumed: [TopicPartition]) {
            defer { pauseChanges.removeAll() }
            let sorted = pauseChanges.keys.sorted()
            return (sorted.filter { pauseChanges[$0] == true }, sorted.filter { pauseChanges[$0] == false })
        }

        /// What forbids any further call, if anything does.
        var refusal: EventLogError? {
            if isClosed { return KafkaErrors.refused("this consumer is closed; open another") }
            return fatalError
        }

        /// A partition without a valid position makes every poll fail until it has one.
        var positionFailure: EventLogError? {
            partitions.keys.sorted().lazy.compactMap { partitions[$0]?.failure }.first
        }

        /// The assigned partitions with where to go on; -1001 (`RD_KAFKA_OFFSET_INVALID`) leaves it to the group.
        var positions: [CommittedOffset] {
            partitions.keys.sorted().map { CommittedOffset($0, partitions[$0]?.position ?? -1001) }
        }
    }
#endif
