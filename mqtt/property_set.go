package mqtt

// The Set methods store a value and mark it present.

// SetPayloadFormat sets the Payload Format Indicator: 0 bytes, 1 UTF-8.
func (p *Properties) SetPayloadFormat(v byte) {
	p.PayloadFormat = v
	p.mark(PropPayloadFormat)
}

// SetMessageExpiry sets the Message Expiry Interval, in seconds.
func (p *Properties) SetMessageExpiry(v uint32) {
	p.MessageExpiry = v
	p.mark(PropMessageExpiry)
}

// SetContentType sets the Content Type.
func (p *Properties) SetContentType(v []byte) {
	p.ContentType = v
	p.mark(PropContentType)
}

// SetResponseTopic sets the Response Topic.
func (p *Properties) SetResponseTopic(v []byte) {
	p.ResponseTopic = v
	p.mark(PropResponseTopic)
}

// SetCorrelationData sets the Correlation Data.
func (p *Properties) SetCorrelationData(v []byte) {
	p.CorrelationData = v
	p.mark(PropCorrelationData)
}

// SetSessionExpiry sets the Session Expiry Interval, in seconds; 0xFFFFFFFF is for ever.
func (p *Properties) SetSessionExpiry(v uint32) {
	p.SessionExpiry = v
	p.mark(PropSessionExpiry)
}

// SetAssignedClientID sets the Assigned Client Identifier.
func (p *Properties) SetAssignedClientID(v []byte) {
	p.AssignedClientID = v
	p.mark(PropAssignedClientID)
}

// SetServerKeepAlive sets the Server Keep Alive, in seconds.
func (p *Properties) SetServerKeepAlive(v uint16) {
	p.ServerKeepAlive = v
	p.mark(PropServerKeepAlive)
}

// SetAuthMethod sets the Authentication Method.
func (p *Properties) SetAuthMethod(v []byte) {
	p.AuthMethod = v
	p.mark(PropAuthMethod)
}

// SetAuthData sets the Authentication Data, which needs a method beside it.
func (p *Properties) SetAuthData(v []byte) {
	p.AuthData = v
	p.mark(PropAuthData)
}

// SetRequestProblemInfo sets the Request Problem Information.
func (p *Properties) SetRequestProblemInfo(v bool) {
	p.RequestProblemInfo = v
	p.mark(PropRequestProblemInfo)
}

// SetWillDelay sets the Will Delay Interval, in seconds.
func (p *Properties) SetWillDelay(v uint32) {
	p.WillDelay = v
	p.mark(PropWillDelay)
}

// SetRequestResponseInfo sets the Request Response Information.
func (p *Properties) SetRequestResponseInfo(v bool) {
	p.RequestResponseInfo = v
	p.mark(PropRequestResponseInfo)
}

// SetResponseInfo sets the Response Information.
func (p *Properties) SetResponseInfo(v []byte) {
	p.ResponseInfo = v
	p.mark(PropResponseInfo)
}

// SetServerReference sets the Server Reference.
func (p *Properties) SetServerReference(v []byte) {
	p.ServerReference = v
	p.mark(PropServerReference)
}

// SetReasonString sets the Reason String.
func (p *Properties) SetReasonString(v []byte) {
	p.ReasonString = v
	p.mark(PropReasonString)
}

// SetReceiveMaximum sets the Receive Maximum, which must not be 0.
func (p *Properties) SetReceiveMaximum(v uint16) {
	p.ReceiveMaximum = v
	p.mark(PropReceiveMaximum)
}

// SetTopicAliasMaximum sets the Topic Alias Maximum.
func (p *Properties) SetTopicAliasMaximum(v uint16) {
	p.TopicAliasMaximum = v
	p.mark(PropTopicAliasMaximum)
}

// SetTopicAlias sets the Topic Alias, which must not be 0.
func (p *Properties) SetTopicAlias(v uint16) {
	p.TopicAlias = v
	p.mark(PropTopicAlias)
}

// SetMaximumQoS sets the Maximum QoS, 0 or 1.
func (p *Properties) SetMaximumQoS(v QoS) {
	p.MaximumQoS = v
	p.mark(PropMaximumQoS)
}

// SetRetainAvailable sets whether retained messages are available.
func (p *Properties) SetRetainAvailable(v bool) {
	p.RetainAvailable = v
	p.mark(PropRetainAvailable)
}

// SetMaximumPacketSize sets the Maximum Packet Size, in bytes and not 0.
func (p *Properties) SetMaximumPacketSize(v uint32) {
	p.MaximumPacketSize = v
	p.mark(PropMaximumPacketSize)
}

// SetWildcardAvailable sets whether wildcard subscriptions are available.
func (p *Properties) SetWildcardAvailable(v bool) {
	p.WildcardAvailable = v
	p.mark(PropWildcardAvailable)
}

// SetSubscriptionAvailable sets whether Subscription Identifiers are available.
func (p *Properties) SetSubscriptionAvailable(v bool) {
	p.SubscriptionAvailable = v
	p.mark(PropSubscriptionAvailable)
}

// SetSharedAvailable sets whether shared subscriptions are available.
func (p *Properties) SetSharedAvailable(v bool) {
	p.SharedAvailable = v
	p.mark(PropSharedAvailable)
}
