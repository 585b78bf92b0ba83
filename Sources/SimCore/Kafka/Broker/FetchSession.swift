import Ports

/// The partitions that a connection fetches, as the leader remembers them between requests (KIP-227).
///
/// A real broker keys its sessions by number and gives up the least recently used; here a session lives as long as its
/// connection, and a fetch on a new connection that expects one gets FETCH_SESSION_ID_NOT_FOUND just so.
struct FetchSession: Sendable {
    struct Entry: Sendable {
        let partition: PartitionID
        var offset: Int64
        var currentLeaderEpoch: Int32
        var lastFetchedEpoch: Int32
        /// Its position is known; after data was sent it is not, until the next request tells.
        var isActive = true
        /// In ``FetchSession/ready``.
        var isReady = false
        /// In ``FetchSession/stale``.
        var isStale = false
        var isForgotten = false
        /// The partition's replica knows of it, and wakes it. Not yet, when it was asked for before there was a replica here.
        var isWatching = false
        var sentHighWatermark: Int64 = -1
    }

    struct Parked: Sendable {
        let correlation: Int32
        let deadline: Instant
        let minimumBytes: Int32
    }

    /// No fetch has come on this connection, or it has ended.
    static let none = FetchSession()

    let isOpen: Bool
    let replica: NodeID
    let isReadCommitted: Bool
    let partitionByteLimit: Int
    var entries: [Entry] = []
    /// Index of each partition's entry, by partition number; -1 for none.
    private var entryIndex: [Int32] = []
    /// Entries with something to say, in the order in which they got it.
    var ready: [Int32] = []
    /// Entries whose high watermark has moved: told with the next answer, but no reason to answer.
    var stale: [Int32] = []
    /// The request that waits for an answer.
    var parked: Parked?
    /// Listed for an answer at the end of this event.
    var isScheduled = false

    var isFollower: Bool { replica != .none }

    private init() {
        isOpen = false
        replica = .none
        isReadCommitted = false
        partitionByteLimit = 0
    }

    init(_ request: FetchRequest) {
        isOpen = true
        replica = request.replica
        isReadCommitted = request.isReadCommitted
        partitionByteLimit = Int(request.partitionByteLimit)
    }

    func index(of partition: PartitionID) -> Int? {
        guard partition.index < entryIndex.count else { return nil }
        let index = entryIndex[partition.index]
        return index >= 0 ? Int(index) : nil
    }

    /// Adds an entry for a partition, or revives it. Returns its index.
    mutating func upsert(_ position: FetchPosition) -> Int {
        if let index = index(of: position.partition) {
            entries[index].offset = position.offset
            entries[index].currentLeaderEpoch = position.currentLeaderEpoch
            entries[index].lastFetchedEpoch = position.lastFetchedEpoch
            entries[index].isActive = true
            entries[index].isForgotten = false
            return index
        }
        while entryIndex.count <= position.partition.index { entryIndex.append(-1) }
        entryIndex[position.partition.index] = Int32(entries.count)
        entries.append(
            Entry(
                partition: position.partition, offset: position.offset,
                currentLeaderEpoch: position.currentLeaderEpoch, lastFetchedEpoch: position.lastFetchedEpoch))
        return entries.count - 1
    }

    mutating func markReady(_ index: Int) {
        guard !entries[index].isReady else { return }
        entries[index].isReady = true
        ready.append(Int32(index))
    }

    mutating func markStale(_ index: Int) {
        guard !entries[index].isStale else { return }
        entries[index].isStale = true
        stale.append(Int32(index))
    }
}

/// A connection that a broker has accepted. Its requests are handled one after another: while one waits for its answer,
/// the next ones are not read (the muted channel of SocketServer).
struct AcceptedConnection: ~Copyable, Sendable {
    /// `nil` for a free slot.
    let id: KafkaConnectionID?
    var isBusy = false
    var waiting: [KafkaRequest] = []
    var session = FetchSession.none
}

/// Where an answer belongs. Void once its connection is gone.
struct ResponseHandle: Sendable {
    let slot: Int32
    let connection: KafkaConnectionID
    let correlation: Int32
}

/// Who asked for a transaction's markers: another broker, or this one's own coordinator.
enum MarkerDestination: Sendable {
    case remote(ResponseHandle)
    case local(token: Int64)
}

/// A produce request with acks=all, or a coordinator's write, that waits for the in-sync replicas (the produce purgatory).
struct DelayedProduce: Sendable {
    enum Completion: Sendable {
        case respond(ResponseHandle)
        case coordinator(CoordinatorKind, token: Int64)
        /// Markers of a transaction, written for its coordinator.
        case markers(MarkerDestination, producerID: Int64, isCommit: Bool)
    }

    /// Tells this use of the slot from earlier ones; -1 when it is free.
    var serial: Int64
    var completion: Completion
    var remaining: Int
    var deadline: Instant
    var results: [ProduceResult]
}
