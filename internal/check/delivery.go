package check

var PublishAccepted = register(Check{Code: "delivery.published", Stage: StageDelivery, Severity: Step, Title: "Messages published"})

var DeliveryQueueFull = register(Check{Code: "delivery.queue_full", Stage: StageDelivery, Severity: Warning, Title: "Messages were dropped: the device reads too slowly"})

var DeliveryNotAcked = register(Check{Code: "delivery.not_acked", Stage: StageDelivery, Severity: Warning, Title: "The device does not acknowledge a message"})

var DeliveryPacketTooLarge = register(Check{Code: "delivery.packet_too_large", Stage: StageDelivery, Severity: Warning, Title: "A message is larger than the device allows"})

var ClientRxBuffer = register(Check{Code: "client.rx_buffer", Stage: StageDelivery, Severity: Warning, Title: "The device's receive buffer is probably too small"})

var ClientTimeoutShort = register(Check{Code: "client.timeout_short", Stage: StageDelivery, Severity: Warning, Title: "The device's time limit is probably too short"})

var LoopConnectRefused = register(Check{Code: "loop.connect_refused", Stage: StageDelivery, Severity: Warning, Title: "The device repeats a refused connection"})

var LoopPublishDenied = register(Check{Code: "loop.publish_denied", Stage: StageDelivery, Severity: Warning, Title: "The device repeats a refused publish"})

var LoopSubscribeDenied = register(Check{Code: "loop.subscribe_denied", Stage: StageDelivery, Severity: Warning, Title: "The device repeats a refused subscription"})
