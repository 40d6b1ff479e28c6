package symptom

import (
	"slices"
	"strings"

	"github.com/gatehouse-iot/gatehouse/internal/check"
)

// A combination is what several facts of one text say together.
type combination struct {
	all  []*fact // every one of these
	any  []*fact // and, unless empty, one of these
	none []*fact // and none of these
	gets *fact
}

func together(says string, stage check.Stage, r rank, c causes) *fact {
	return &fact{says, stage, r, c}
}

// ended are the facts of a connection that ended without a reason.
var ended = []*fact{hangup, lost, cancelled, reset, closedLater, notAuthorizedLater, notAuthorized, closedInHandshake, webClosed}

// failedTLS are the facts of a handshake that failed.
var failedTLS = []*fact{tlsFailed, closedInHandshake, alertReceived, tlsTimeout, reset, resetInHandshake, serverRefused, connackTimeout, connectFailed}

var combinations = []combination{
	{all: []*fact{doingSubscribe}, any: ended, none: []*fact{doingPublish, subscribeRefused}, gets: together("the connection ended after a SUBSCRIBE", check.StageAuthorization, narrow, causes{check.AuthzSubscribe: 62, check.AuthzSubscribeResourceType: 30})},
	{all: []*fact{doingPublish}, any: ended, none: []*fact{doingSubscribe, publishRefused}, gets: together("the connection ended after a PUBLISH", check.StageAuthorization, narrow, causes{check.AuthzPublish: 62, check.AuthzPublishResourceType: 28, check.AuthzRetainPublish: 14})},
	{all: []*fact{again, wasConnected}, any: ended, gets: together("it connects, is cut off and connects again", check.StageSession, narrow, causes{check.SessionTakeoverLoop: 58, check.AuthzPublish: 24, check.AuthzSubscribe: 24, check.SessionTakeoverSelf: 16})},
	{all: []*fact{again}, any: ended, none: []*fact{wasConnected}, gets: together("it repeats", check.StageSession, hint, causes{check.SessionTakeoverLoop: 42})},
	{all: []*fact{withWill}, any: ended, gets: together("it happens with a last will", check.StageProtocol, narrow, causes{check.MQTTWillQoS2: 62, check.AuthzWillPublish: 58, check.AuthzWillRetain: 30})},
	{all: []*fact{retainRefused}, any: ended, gets: together("it happens with the retain flag", check.StageAuthorization, narrow, causes{check.AuthzRetainPublish: 60})},
	{all: []*fact{withBridge}, any: []*fact{takeover}, gets: together("a bridge and a client have one ID", check.StageSession, exact, causes{check.SessionTakeoverLoop: 60})},
	{all: []*fact{withBridge}, any: []*fact{notAuthorized, hangup, connectRefused}, gets: together("a bridge publishes its state under $SYS", check.StageProtocol, narrow, causes{check.TopicReserved: 62, check.AuthzRetainPublish: 20})},
	{all: []*fact{withBridge}, any: []*fact{lost}, gets: together("a bridge loses its connection", check.StageSession, hint, causes{check.MQTTQoS2: 30, check.SessionTakeoverLoop: 26, check.AuthzRetainPublish: 22})},
	{all: []*fact{withBridge, otherWorks}, gets: together("a bridge fails where another client works", check.StageSession, narrow, causes{check.SessionTakeoverLoop: 60, check.TopicReserved: 40, check.AuthzConnectClientID: 30})},
	{all: []*fact{webClosed, notAuthorized}, gets: together("a browser's client is refused", check.StageAuthorization, narrow, causes{check.CognitoIoTPolicyMissing: 50})},
	{all: []*fact{port443}, any: failedTLS, none: []*fact{withALPN, nameUnknown, serverUntrusted}, gets: together("it happens on port 443", check.StageProtocol, hint, causes{check.TLSALPNMissingOn443: 60})},
	{all: []*fact{port443}, any: []*fact{lost, hangup}, none: []*fact{withALPN, withWeb, connackTimeout}, gets: together("it happens on port 443", check.StageProtocol, hint, causes{check.TLSALPNMissingOn443: 55})},
	{all: []*fact{otherWorks}, any: failedTLS, gets: together("another client works with the same files", check.StageTLS, hint, causes{check.TLSSNIRequiredForCert: 52, check.TLSALPNMissingOn443: 14})},
	{all: []*fact{slowLink}, any: []*fact{tlsTimeout, tcpTimeout, tlsFailed, connackTimeout, operationTimeout}, gets: together("it happens over a slow link", check.StageTCP, hint, causes{check.NetSlowHandshake: 50, check.ClientTimeoutShort: 24})},
	{all: []*fact{viaProxy}, any: []*fact{dnsUnknown, dnsUnavailable, tcpTimeout, connectFailed, tlsTimeout, tlsFailed}, gets: together("a proxy or firewall is on the way", check.StageTCP, hint, causes{check.NetProxyRequired: 72})},
	{all: []*fact{workedBefore}, any: []*fact{certificateRefused, alertReceived, readFailedAfterTLS}, gets: together("it worked before", check.StageCertificate, hint, causes{check.CertRevoked: 55, check.CertInactive: 40})},
	{all: []*fact{workedBefore}, any: []*fact{connectFailed}, gets: together("it worked before", check.StageTCP, hint, causes{check.NetNeverArrived: 40})},
	{all: []*fact{rotated}, any: []*fact{notAuthorized, hangup, lost, certificateRefused, connectRefused}, gets: together("the certificate was replaced", check.StageAuthorization, hint, causes{check.PolicyNoneAttached: 62, check.CertNotRegistered: 40})},
	{all: []*fact{otherRegion}, any: []*fact{certificateRefused, alertReceived, lost, hangup, tlsFailed, readFailedAfterTLS}, gets: together("another Region or account is in play", check.StageCertificate, hint, causes{check.CertRegisteredElsewhere: 78})},
	{all: []*fact{deviceCA}, any: []*fact{serverRefused, serverUntrusted, tlsFailed}, gets: together("an own CA is in play", check.StageTLS, hint, causes{check.TLSTrustStoreIsDeviceCA: 60})},
	{all: []*fact{arrived}, any: []*fact{operationTimeout}, gets: together("the message arrived all the same", check.StageDelivery, exact, causes{check.ClientTimeoutShort: 85})},
	{all: []*fact{noPolicy}, any: ended, gets: together("no policy is mentioned", check.StageAuthorization, hint, causes{check.PolicyNoneAttached: 70})},
	{all: []*fact{jitp}, any: []*fact{hangup, lost, notAuthorized}, gets: together("the first connection of just-in-time provisioning is closed", check.StageCertificate, narrow, causes{check.JITPRegisteredRetry: 76})},
	{all: []*fact{jitp, operationTimeout}, gets: together("just-in-time provisioning does not come to its end", check.StageCertificate, narrow, causes{check.JITPNoTemplate: 76})},
	{all: []*fact{jitr}, any: []*fact{tlsFailed, alertReceived, certificateRefused}, gets: together("just-in-time registration fails in the handshake", check.StageCertificate, narrow, causes{check.CertRegisteredCANotInChain: 70})},
	{all: []*fact{thingVariable}, any: []*fact{forbidden}, gets: together("thing variables over HTTPS", check.StageAuthorization, narrow, causes{check.PolicyVarUndefined: 60})},
	{all: []*fact{withIAM}, any: []*fact{upgradeRefused}, gets: together("temporary or role credentials sign the upgrade", check.StageAuthentication, hint, causes{check.SigV4TokenInSignature: 46, check.SigV4ScopeService: 42, check.AuthzWSUpgrade: 30})},
	{all: []*fact{scopeRegion}, any: []*fact{upgradeRefused, forbidden, signatureRefused}, gets: together("two Regions are named", check.StageAuthentication, exact, causes{check.SigV4ScopeRegion: 80})},
	{all: []*fact{withWeb}, any: []*fact{forbidden}, gets: upgradeRefused},
	{all: []*fact{cognitoRefused}, any: append([]*fact{actionDenied}, ended...), gets: together("a Cognito identity is refused", check.StageAuthorization, narrow, causes{check.CognitoIoTPolicyMissing: 60})},
	{all: []*fact{authorizerRefused}, any: append([]*fact{badCredentials, forbidden, connectRefused}, ended...), gets: together("a custom authorizer decides here", check.StageAuthentication, narrow, causes{check.AuthorizerNotSelected: 52, check.AuthorizerInvokeDenied: 36, check.AuthorizerRejected: 34, check.AuthorizerTimeout: 16})},
	{all: []*fact{qos2}, any: ended, gets: together("it happens with QoS 2", check.StageProtocol, hint, causes{check.MQTTQoS2: 50})},
	{all: []*fact{tooLarge}, any: []*fact{again}, gets: together("a message that is too large is sent again and again", check.StageSession, narrow, causes{check.LimitPayloadLoop: 60})},
	{all: []*fact{byAddress}, any: []*fact{serverRefused, serverUntrusted, serverName, tlsFailed}, gets: together("the device connects by IP address", check.StageTLS, hint, causes{check.TLSServerCertName: 40, check.TLSSNIMissing: 25})},
}

// combine finds what facts say together.
func combine(facts []found) (list []found) {
	has := func(f *fact) bool { return slices.ContainsFunc(facts, func(g found) bool { return g.fact == f }) }
	for _, c := range combinations {
		if slices.ContainsFunc(c.all, func(f *fact) bool { return !has(f) }) || slices.ContainsFunc(c.none, has) {
			continue
		}
		if len(c.any) > 0 && !slices.ContainsFunc(c.any, has) {
			continue
		}
		at := 0
		for _, f := range facts {
			if f.fact == c.all[0] {
				at = f.at
			}
		}
		list = append(list, found{fact: c.gets, at: at})
	}
	return list
}

var (
	urlAsHost    = expression(`(?i)\bhttps?://[a-z0-9.-]+\.amazonaws\.com[a-z.]*/things/|(?:host|endpoint|server|enotfound|lookup|resolve|getaddrinfo)\W{1,6}(?:https?|mqtts?|wss?)://`)
	noHost       = expression(`(?i)connecting to (?:/|:)\d{2,5}|connect(?:ing)? to (?:host )?(?:""|'')|getaddrinfo(?: \w+)? *(?:""|'')`)
	misshapen    = expression(`(?i)\.iot\.ats\.amazonaws\.com|-ats\.ats\.|\biot-ats\.|[a-z0-9]-ats\.[a-z]{2}(?:-[a-z]+)+-\d\.amazonaws\.com|(?:[^.a-z0-9-]|^)iot\.[a-z0-9-]+\.amazonaws\.com\W+(?:8883|.*mqtt)`)
	signedHost   = expression(`(?i)\bhost:\s*\S*(?:amazonaws\.com|…\.amazonaws\.com)\S{0,3}:443\b`)
	anyRegion    = expression(`\b(?:us|eu|ap|sa|ca|me|af|cn|il|mx)(?:-gov)?-(?:north|south|east|west|central|northeast|southeast|northwest|southwest)-\d\b`)
	ipv6Failed   = expression(`(?i)connecting to endpoint [0-9a-f]{1,4}:[0-9a-f:…]+\S* *:? *\S*.*(?:failed|unreachable)`)
	sysTopic     = expression(`\$SYS\b`)
	awsTopic     = expression(`(?i)(?:unknown|unsupported) ` + "`?" + `\$aws`)
	suffixedID   = expression(`(?i)client_?id\W{1,4}[\w.-]+#\d`)
	eventFailure = expression(`(?i)"?eventType"?\s*[:=]\s*"?(Connect|Publish-In|Publish-Out|Subscribe|Disconnect)`)
	on443        = expression(`(?i)(?:[:/] ?|\b(?:port|on|to|p)\W{1,3})443\b`)
	addressPeer  = expression(`(?i)(?:connect(?:ing|ed)? to|host|endpoint|-h|-connect|by ip)\W{1,3}\d{1,3}(?:\.\d{1,3}){3}\b|\bby ip\b`)
	secureTopics = expression(`(?i)requests\.post\(["']https://[^)]*/topics/`)
)

// shapes finds what words can't tell: URLs, topics, host names, Regions.
func (t *text) shapes() (list []found) {
	regions := map[string]bool{}
	for i, line := range t.lines() {
		add := func(f *fact) { list = append(list, found{fact: f, at: t.start[i], quote: t.quote(i, "")}) }
		low := strings.ToLower(line)
		if strings.Contains(low, "://") && urlAsHost().MatchString(line) {
			add(endpointURL)
		}
		if strings.Contains(low, "connect") && noHost().MatchString(line) {
			add(endpointEmpty)
		}
		if strings.Contains(low, "amazonaws.com") {
			if misshapen().MatchString(line) {
				add(endpointShape)
			}
			if signedHost().MatchString(line) {
				add(hostSignedWrong)
			}
		}
		if strings.Contains(low, "-") {
			for _, r := range anyRegion().FindAllString(low, 4) {
				regions[r] = true
			}
		}
		if strings.Contains(low, "connecting to endpoint") && ipv6Failed().MatchString(line) {
			add(ipv6Unreachable)
		}
		if strings.Contains(line, "$SYS") && sysTopic().MatchString(line) || strings.Contains(low, "$aws") && awsTopic().MatchString(line) {
			add(reservedTopic)
		}
		if strings.Contains(line, "#") && suffixedID().MatchString(line) {
			add(suffixed)
		}
		if strings.Contains(line, "/topics/") && secureTopics().MatchString(line) {
			add(portForCertificate)
		}
		if strings.Contains(line, "443") && on443().MatchString(line) {
			list = append(list, found{fact: port443, at: t.start[i]})
		}
		if strings.Contains(line, ".") && addressPeer().MatchString(line) {
			list = append(list, found{fact: byAddress, at: t.start[i]})
		}
		if !strings.Contains(low, "eventtype") || !strings.Contains(low, "fail") && !strings.Contains(low, "authorization") {
			continue
		}
		if m := eventFailure().FindStringSubmatch(line); m != nil {
			switch strings.ToLower(m[1]) {
			case "publish-in":
				add(publishRefused)
			case "publish-out":
				add(receiveRefused)
			case "subscribe":
				add(subscribeRefused)
			}
		}
	}
	if len(regions) > 1 {
		list = append(list, found{fact: scopeRegion})
	}
	return list
}

var (
	hostSignedWrong = together("the Host header has a port", check.StageAuthentication, exact, causes{check.SigV4SignedHost: 84, check.SigV4Signature: 30})
	suffixed        = together("the client ID has a suffix #n, which Greengrass adds for a further connection", check.StageAuthorization, exact, causes{check.AuthzConnectClientID: 88})
	receiveRefused  = together("a message was not delivered: no permission to receive", check.StageAuthorization, exact, causes{check.AuthzReceive: 84, check.AuthzReceiveMissing: 40})
)
