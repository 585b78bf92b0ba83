#if Production
    import AdapterSystem
    import Cepoll
    import Crdkafka
    import Glibc
    import Synchronization

    /// A queue of librdkafka that says when it has something, through an event descriptor that the reactor watches: no
    /// thread waits for it.
    ///
    /// It fires when the queue stops being empty; whoever is told has to take everything, or look again by itself.
    final class EventQueue: ReactorHandler {
        let queue: QueuePointer
        private let descriptor: Int32
        private let reactor: SocketReactor
        private let token = Mutex<SocketReactor.Token?>(nil)
        /// Held while the descriptor is read: once it is closed, its number may be another's.
        private let isClosed = Mutex(false)
        private let ready: @Sendable () -> Void
        private let late: @Sendable (Int64) -> Void

        /// Takes the queue over.
        ///
        /// - Parameters:
        ///   - ready: called on the reactor's thread; must not block.
        ///   - late: called there when a deadline given to ``wake(at:)`` passed, perhaps an older one.
        init(
            _ queue: OpaquePointer, reactor: SocketReactor = .shared, ready: @escaping @Sendable () -> Void,
            late: @escaping @Sendable (Int64) -> Void = { _ in }
        ) {
            self.queue = QueuePointer(queue)
            self.reactor = reactor
            self.ready = ready
            self.late = late
            descriptor = eventfd(0, Int32(EFD_NONBLOCK | EFD_CLOEXEC))
            precondition(descriptor >= 0, "the system gives no event descriptor: error \(errno)")
            let token = reactor.register(self)
            self.token.withLock { $0 = token }
            reactor.watch(descriptor, for: token)
            var one: UInt64 = 1
            rd_kafka_queue_io_event_enable(queue, descriptor, &one, 8)
        }

        /// Has the reactor look, whether or not something came: the queue may have had something when it began to be watched,
        /// and would then never fire. To be called once the queue is where ``ready`` finds it.
        func begin() {
            var one: UInt64 = 1
            _ = write(descriptor, &one, 8)
        }

        func wake(at deadline: Int64) {
            if let token = token.withLock({ $0 }) { reactor.wake(token, at: deadline) }
        }

        /// Lets the queue go. To be called once, when nobody takes from it any more.
        func close() {
            rd_kafka_queue_io_event_enable(queue.raw, -1, nil, 0)
            reactor.unwatch(descriptor)
            if let token = token.withLock({ $0 }) { reactor.unregister(token) }
            isClosed.withLock { isClosed in
                isClosed = true
                Glibc.close(descriptor)
            }
            rd_kafka_queue_destroy(queue.raw)
        }

        func socketIsReady() {
            let isOpen = isClosed.withLock { isClosed in
                guard !isClosed else { return false }
                var count: UInt64 = 0
                _ = read(descriptor, &count, 8)
                return true
            }
            if isOpen { ready() }
        }

        func deadlinePassed(now: Int64) { late(now) }
    }
#endif
