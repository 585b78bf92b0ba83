import Ports

/// Registration, sessions and fencing of brokers (ClusterControlManager, BrokerHeartbeatManager).
extension Controller {
    mutating func register(_ request: BrokerRegistrationRequest, now: Instant) -> KafkaResponseBody {
        let index = metadata.brokers.firstIndex { $0.id == request.broker }
        let contact = contacts.firstIndex { $0.broker == request.broker }
        var isClean = true
        if let index {
            let existing = metadata.brokers[index]
            if existing.incarnation != request.incarnation {
                if !existing.isFenced, let contact,
                    now - contacts[contact].lastHeardOf < settings.brokerSessionTimeout
                {
                    // Its predecessor may still be alive: it has to wait for that session to end.
                    return .registerBroker(.duplicateBrokerRegistration, brokerEpoch: -1)
                }
                isClean = existing.epoch == request.previousBrokerEpoch
            }
        }
        nextBrokerEpoch = max(nextBrokerEpoch, metadata.version) + 1
        let image = BrokerImage(
            id: request.broker, epoch: nextBrokerEpoch, incarnation: request.incarnation,
            registrationVersion: metadata.version + 1, isFenced: true)
        if let index {
            metadata.brokers[index] = image
            leaveInSyncReplicas(request.broker, isUnclean: !isClean)
        } else {
            let position = metadata.brokers.firstIndex { $0.id > request.broker } ?? metadata.brokers.count
            metadata.brokers.insert(image, at: position)
        }
        let fresh = Contact(broker: request.broker, lastHeardOf: now, metadataVersion: -1)
        if let contact { contacts[contact] = fresh } else { contacts.append(fresh) }
        hasChanged = true
        return .registerBroker(.none, brokerEpoch: image.epoch)
    }

    mutating func answer(_ heartbeat: BrokerHeartbeatRequest, now: Instant) -> BrokerHeartbeatResponse {
        guard let index = metadata.brokers.firstIndex(where: { $0.id == heartbeat.broker }) else {
            return BrokerHeartbeatResponse(error: .brokerIDNotRegistered, isFenced: true, mayShutDown: false)
        }
        guard metadata.brokers[index].epoch == heartbeat.brokerEpoch else {
            return BrokerHeartbeatResponse(error: .staleBrokerEpoch, isFenced: true, mayShutDown: false)
        }
        if let contact = contacts.firstIndex(where: { $0.broker == heartbeat.broker }) {
            contacts[contact].lastHeardOf = now
            contacts[contact].metadataVersion = heartbeat.metadataVersion
        }
        if heartbeat.wantsShutdown { return continueShutdown(of: index) }
        // A broker serves only after it has caught up with the metadata log up to its own registration.
        if metadata.brokers[index].isFenced, heartbeat.metadataVersion >= metadata.brokers[index].registrationVersion {
            metadata.brokers[index].isFenced = false
            hasChanged = true
            electLeadersAfterReturn(of: heartbeat.broker)
        }
        return BrokerHeartbeatResponse(
            error: .none, isFenced: metadata.brokers[index].isFenced, mayShutDown: false)
    }

    /// Controlled shutdown: leadership moves away, and when the other brokers know of it, the broker may stop.
    private mutating func continueShutdown(of index: Int) -> BrokerHeartbeatResponse {
        let broker = metadata.brokers[index].id
        if !metadata.brokers[index].isShuttingDown {
            metadata.brokers[index].isShuttingDown = true
            hasChanged = true
            leaveInSyncReplicas(broker, isUnclean: false)
        }
        let othersKnow = contacts.allSatisfy { contact in
            contact.broker == broker || metadata.broker(contact.broker)?.isFenced != false
                || contact.metadataVersion >= metadata.version
        }
        let mayStop = othersKnow && !hasChanged
        if mayStop {
            metadata.brokers[index].isFenced = true
            hasChanged = true
        }
        return BrokerHeartbeatResponse(error: .none, isFenced: mayStop, mayShutDown: mayStop)
    }

    /// Fences brokers that were silent for the session timeout: they lead nothing from now on.
    mutating func fenceSilentBrokers(now: Instant) {
        for contact in contacts where now - contact.lastHeardOf >= settings.brokerSessionTimeout {
            guard let index = metadata.brokers.firstIndex(where: { $0.id == contact.broker }),
                !metadata.brokers[index].isFenced
            else { continue }
            metadata.brokers[index].isFenced = true
            hasChanged = true
            leaveInSyncReplicas(contact.broker, isUnclean: false)
        }
    }

    /// Whether a broker's last heartbeat is no older than that.
    func heard(of broker: NodeID, within span: Nanoseconds, now: Instant) -> Bool {
        contacts.contains { $0.broker == broker && now - $0.lastHeardOf <= span }
    }

    /// Whether a broker may lead: registered, not fenced, and not about to stop.
    func mayLead(_ broker: NodeID) -> Bool {
        guard let image = metadata.broker(broker) else { return false }
        return !image.isFenced && !image.isShuttingDown
    }
}
