package symptom

// networkSigns are of DNS and TCP.
var networkSigns = []sign{
	{dnsUnknown, "", []string{
		"resolv* .. host* .. fail*", "resolv* .. dns .. fail*", "resolv* .. name .. fail*", "resolv* .. address .. fail*", "error .. resolv* .. dns", "resolv* .. error .. dns", "failed .. lookup", "lookup .. failed", "dns .. fail*", "cannot resolve*", "could not resolve*", "unable to resolve*", "getaddrinfo .. error", "host .. cannot be resolved",
		"ENOTFOUND", "Name or service not known", "nodename nor servname*", "no such host", "UnknownHostException", "Lookup error", "unknown host", "host not found",
		"No such host is known", "Could not resolve host", "Could not resolve proxy", "name does not resolve", "Name does not resolve", "getaddrinfo failed", "AWS_IO_DNS_INVALID_NAME",
		"Host name was invalid for dns resolution", "Unable to resolve host", "couldn't get hostname", "can't resolve hostname", "NXDOMAIN", "No address associated with hostname", "AWS_IO_DNS_QUERY_FAILED", "AWS_IO_DNS_NO_ADDRESS_FOR_HOST",
		"ESP_ERR_ESP_TLS_CANNOT_RESOLVE_HOSTNAME", "NETWORK_ERR_NET_UNKNOWN_HOST", "hostByName*failed", "DNS Failed", "DNS lookup failed", "Failed to resolve", "failed to lookup address information",
		"failed to resolve DNS", "DNS resolution failed", "name resolution failed", "UNKNOWN_HOST", "Failed to get hostname*", "server can't find", "Unknown SSL host", "name not resolved",
		"ERR_NAME_NOT_RESOLVED", "EAI_NONAME", "EAI_NODATA", "EAI_FAIL", "HostNotFound", "Unable to connect to the remote server", "misspelt host", "NameResolutionError", "Failed to get IP address", "socket.gaierror", "dns_gethostbyname*",
		"Failed to locate server", "WSAHOST_NOT_FOUND", "host is unknown", "UnresolvedAddressException", "Could not connect to the endpoint URL", "EndpointConnectionError",
	}},
	{dnsUnavailable, "", []string{
		"EAI_AGAIN", "Temporary failure in name resolution", "Try again & resolution", "getaddrinfo() returns 202", "couldn't get hostname for & returns 202", "server misbehaving", "i/o timeout & lookup",
		"DNS server not responding", "DNS query timed out", "DNS failure", "no DNS", "DNS timeout", "Resolving timed out", "WSATRY_AGAIN", "DNS server failure", "AT+UDNSRN & ERROR", "no DNS server*",
	}},
	{endpointEmpty, "", []string{"empty host", "Host is empty", "hostname is empty", "missing host", "no host specified", "host must not be empty", "Invalid host.", "endpoint is empty", "missing address"}},
	{endpointURL, "", []string{
		"MQTT connecting SSL Error Code: 0", "Missing protocol", "unknown protocol scheme*", "Bad URI", "URISyntaxException", "URI scheme*not*", "too many colons in address", "Invalid URI", "UriFormatException",
		"URL using bad/illegal format", "invalid URL", "ERR_INVALID_URL", "EndpointFormatError", "No connection could be made because the hostname is a URL", "no scheme is specified",
		"contains illegal characters", "illegal character in hostname", "Invalid endpoint", "label empty or too long", "is not a valid hostname", "host name contains*",
	}},
	{tcpRefused, "", []string{
		"Connection refused", "ECONNREFUSED", "AWS_IO_SOCKET_CONNECTION_REFUSED", "actively refused", "ConnectionRefusedError", "ConnectionRefused", "connect: refused", "refused to connect", "WSAECONNREFUSED", "errno=111",
		"ERR_CONNECTION_REFUSED", "reset by peer & errno=111", "+QIOPEN: 0,567",
	}},
	{tcpTimeout, "", []string{
		"connect .. timeout", "connecting .. timeout", "connection .. attempt .. timeout", "NetworkTimeout", "authenticating .. timeout",
		"ETIMEDOUT", "Connection timed out", "connect timed out", "Operation timed out", "AWS_IO_SOCKET_TIMEOUT", "SocketTimeoutException: connect*", "select() timeout", "connection attempt failed because the connected party did not properly respond",
		"ERR_CONNECTION_TIMED_OUT", "ESP_ERR_ESP_TLS_CONNECTION_TIMEOUT", "Failed to connect & timed out", "TimeoutError & connect", "i/o timeout", "connection timeout", "Timed out waiting for connection", "WSAETIMEDOUT", "ConnectTimeoutError", "ConnectTimeout*",
		"errno=110", "Errno 110", "Errno 60", "os error 110", "Connection timeout", "timed out trying to connect", "Unable to connect to server (32103) & timeout",
	}},
	{tcpUnreachable, "", []string{
		"Network is unreachable", "No route to host", "EHOSTUNREACH", "ENETUNREACH", "Host is unreachable", "AWS_IO_SOCKET_NO_ROUTE_TO_HOST", "ENETDOWN", "AWS_IO_SOCKET_NETWORK_DOWN", "NoRouteToHostException", "host unreachable",
		"Network unreachable", "Errno 101", "Errno 113", "errno=113", "errno=101", "errno = 118", "A socket operation was attempted to an unreachable*", "errno 118", "ERR_INTERNET_DISCONNECTED", "ERR_ADDRESS_UNREACHABLE",
		"software caused connection abort & host", "netif*down", "no network interface", "AWS_IO_SOCKET_INVALID_ADDRESS",
	}},
	{ipv6Unreachable, "", []string{"connect failed with error code 101", "IPv6 & unreachable", "[2600:* & unreachable", "connect failed with error code 113", "connect ENETUNREACH 2406:*", "connect ENETUNREACH 2600:*"}},
	{connectFailed, "", []string{
		"Connect to Server failed", "Connection failed to broker", "Repeated connect failures", "failed to connect to*", "could not connect to*", "unable to connect to*", "cannot connect to*", "connection to .. failed", "Connect failed to", "Socket Connect: Error", "socket connect .. failed", "connect failed",
		"failed rc=-2", "rc=-2", "state: -2", "state -2", "MQTT_CONNECT_FAILED", "Failed to open a new connection", "Failed to open new connection", "Error transport connect", "Unable to connect to server", "return code -1",
		"Connection failed & -2", "Connecting to AWS IOT & ..", "NETWORK_ERR_NET_CONNECT_FAILED", "ESP_ERR_ESP_TLS_FAILED_CONNECT_TO_HOST", "mbedtls_net_connect returned*", "Failed to connect socket", "failed to connect to host", "TCP_CONNECTION_ERROR",
		"ERR_MQTT_CONNECT", "TCP connect failed", "-2 -2 -2", "failed, rc=-2", "Failed to connect to server", "Socket Error", "TRANSPORT_SOCKET_STATUS_CONNECT_FAILURE", "CSOC & ERROR", "Failed to connect to broker", "+CIPOPEN: 0,4", "MQTT client connect*failed",
		"Connection to broker failed", "TCP_CONNECT_FAILED", "Could not connect to server", "Failed to connect to",
	}},
	{neverArrived, "", []string{"nothing in the AWS logs", "nothing in the logs & -2", "no logs in CloudWatch & connect", "never reaches the server", "WiFi not connected", "WL_DISCONNECTED", "WL_NO_SSID_AVAIL", "WIFI_REASON*", "AP+STA"}},
	{socketFailed, "", []string{"Failed to create socket", "NET_SOCKET_FAILED", "NETWORK_ERR_NET_SOCKET_FAILED", "ESP_ERR_ESP_TLS_CANNOT_CREATE_SOCKET", "Too many open files", "EMFILE", "ENFILE", "unable to create socket", "TRANSPORT_SOCKET*INVALID", "error creating socket"}},
	{reset, "", []string{
		"Software caused connection abort", "aborted by the software in your host*",
		"Connection reset", "ECONNRESET", "Broken pipe", "EPIPE", "connection reset by peer", "ConnectionResetError", "forcibly closed by the remote host", "errno=104", "Errno 104", "Connection aborted", "ECONNABORTED", "An established connection was aborted*", "f_recv returned -80", "NET - Connection was reset*",
		"ERR_CONNECTION_RESET", "WSAECONNRESET", "recv failure", "f_send returned -80", "os error 104", "os error 32", "errno 104", "Errno 32", "socket hang up", "WinError 10054", "WinError 10053", "write EPIPE", "MBEDTLS_ERR_NET_CONN_RESET",
	}},
	{resetInHandshake, "", []string{
		"f_recv returned -80 (-0x0050) & ClientHello", "SSL_connect: SSL_ERROR_SYSCALL", "handshake & reset by peer", "OpenSSL SSL_connect: Connection was reset*", "write client hello & reset", "Recv failure: Connection reset by peer & TLS", "tls handshake & ECONNRESET",
		"handshake_failed & -0x50", "mbedtls_ssl_handshake returned -0x50", "mbedtls_ssl_handshake returned -0x0050", "mbedtls_ssl_handshake .. -0x0050", "mbedtls_ssl_handshake .. -80", "SSL_connect & errno=104", "SSL handshake & Connection reset",
	}},
	{proxyRefused, "", []string{
		"407 Proxy*", "status 407", "code 407", "HTTP 407", "Proxy Authentication Required", "HTTP code 407 from proxy*", "AWS_ERROR_HTTP_PROXY*", "tunneling socket could not be established", "Unable to tunnel through proxy", "ProxyError", "proxy & auth*", "authenticating proxy", "Received HTTP code 403 from proxy*",
		"proxyconnect tcp", "proxy CONNECT aborted", "HTTP code 503 from proxy*", "Tunnel connection failed",
	}},
	{noConnection, mosquitto, []string{"The client is not currently connected", "MQTT_ERR_NO_CONN", "Client is not connected", "not currently connected", "MQTTCLIENT_DISCONNECTED", "MQTT client is not connected"}},
}
