#if Production
    import Crdkafka
    import Ports

    /// Calls of a producer that wait for their records' delivery reports.
    struct DeliveryState {
        typealias Continuation = CheckedContinuation<[Placement], any Error>

        /// Where a record was written.
        struct Placement: Sendable {
            var partition: Int32 = -1
            var offset: Int64 = -1
        }

        /// A call to be resumed once the lock is free again.
        struct Completion {
            let continuation: Continuation
            let result: Result<[Placement], any Error>

            func resume() { continuation.resume(with: result) }
        }

        private struct Call {
            var placements: [Placement] = []
            var remaining = 0
            var failure: (index: Int, error: EventLogError)?
            var continuation: Continuation?
            /// Ended before somebody waited for it, or was given up by its task: nobody waits.
            var isAbandoned = false
            /// The task was cancelled before it waited.
            var isCancelled = false
            /// Tells this use of the slot from earlier ones.
            var generation = 0
            var isOver: Bool { remaining == 0 }
        }

        private var calls: [Call] = []
        private var free: [Int] = []
        /// Counts delivery reports, so that nobody waits for room that there is already.
        private(set) var reportCount: UInt64 = 0
        private var roomWaiters: [CheckedContinuation<Void, Never>] = []

        /// One call: its slot, and which use of it.
        struct CallID: Hashable, Sendable {
            let slot: Int
            fileprivate let generation: Int
        }

        /// Begins a call for so many records.
        mutating func begin(count: Int) -> CallID {
            let slot = free.popLast() ?? calls.count
            if slot == calls.count { calls.append(Call()) }
            calls[slot].placements = Array(repeating: Placement(), count: count)
            calls[slot].remaining = count
            return CallID(slot: slot, generation: calls[slot].generation)
        }

        /// A record's opaque value: its call and its index in it.
        static func opaque(_ slot: Int, _ index: Int) -> UnsafeMutableRawPointer? {
            // Never null: librdkafka takes any other value as it is.
            UnsafeMutableRawPointer(bitPattern: (slot + 1) << 32 | index)
        }

        private static func destination(_ opaque: UnsafeMutableRawPointer?) -> (slot: Int, index: Int) {
            let word = Int(bitPattern: opaque)
            return ((word >> 32) - 1, word & 0xffff_ffff)
        }

        /// A record was refused before it was queued.
        mutating func refused(_ slot: Int, _ index: Int, _ error: EventLogError) {
            fail(slot, index, error)
            calls[slot].remaining -= 1
        }

        /// Takes the delivery reports of one event.
        mutating func report(
            _ event: OpaquePointer, of client: ClientPointer, isTransactional: Bool, _ done: inout [Completion]
        ) {
            reportCount &+= 1
            while let message = rd_kafka_event_message_next(event) {
                let (slot, index) = Self.destination(message.pointee._private)
                if message.pointee.err == RD_KAFKA_RESP_ERR_NO_ERROR {
                    calls[slot].placements[index] = Placement(
                        partition: message.pointee.partition, offset: message.pointee.offset)
                } else {
                    fail(slot, index, KafkaErrors.delivery(message, of: client, isTransactional: isTransactional))
                }
                calls[slot].remaining -= 1
                if calls[slot].isOver, let completion = finish(slot) { done.append(completion) }
            }
        }

        mutating func takeRoomWaiters() -> [CheckedContinuation<Void, Never>] {
            defer { roomWaiters.removeAll() }
            return roomWaiters
        }

        /// Waits for the next report, unless one came since `count` was read.
        mutating func waitForRoom(since count: UInt64, _ continuation: CheckedContinuation<Void, Never>) -> Bool {
            guard reportCount == count else { return false }
            roomWaiters.append(continuation)
            return true
        }

        private mutating func fail(_ slot: Int, _ index: Int, _ error: EventLogError) {
            if let earlier = calls[slot].failure, earlier.index < index { return }
            calls[slot].failure = (index, error)
        }

        /// The task waits from here on.
        mutating func wait(_ call: CallID, _ continuation: Continuation) -> Completion? {
            let slot = call.slot
            if calls[slot].isCancelled {
                calls[slot].isAbandoned = true
                if calls[slot].isOver { _ = finish(slot) }
                return Completion(continuation: continuation, result: .failure(CancellationError()))
            }
            calls[slot].continuation = continuation
            return calls[slot].isOver ? finish(slot) : nil
        }

        /// The task waits no more; what is under way goes on.
        mutating func abandon(_ call: CallID) -> Completion? {
            let slot = call.slot
            // It may be over, and its slot another call's.
            guard calls[slot].generation == call.generation else { return nil }
            guard let continuation = calls[slot].continuation else {
                calls[slot].isCancelled = true
                return nil
            }
            calls[slot].continuation = nil
            calls[slot].isAbandoned = true
            return Completion(continuation: continuation, result: .failure(CancellationError()))
        }

        private mutating func finish(_ slot: Int) -> Completion? {
            guard calls[slot].continuation != nil || calls[slot].isAbandoned else { return nil }
            let call = calls[slot]
            calls[slot] = Call(generation: call.generation + 1)
            free.append(slot)
            return call.continuation.map { continuation in
                Completion(
                    continuation: continuation,
                    result: call.failure.map { .failure($0.error) } ?? .success(call.placements))
            }
        }
    }
#endif
