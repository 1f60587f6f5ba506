<?php
// Publishes over HTTP:  php client.php API_URL CHANNEL TEXT
declare(strict_types=1);

/** Calls the API and returns the result of the envelope. */
function call(string $api, string $path, array $params): array
{
    $headers = ['Content-Type: application/json'];
    $user = getenv('LUMESH_USER');
    if ($user !== false && $user !== '') {
        $headers[] = 'Authorization: Basic ' . base64_encode($user);
    }
    $context = stream_context_create(['http' => [
        'method' => 'POST',
        'header' => $headers,
        'content' => json_encode($params, JSON_THROW_ON_ERROR),
        'timeout' => 10,
        'ignore_errors' => true, // errors have an envelope, too
    ]]);
    $body = file_get_contents($api . $path, false, $context);
    if ($body === false) {
        throw new RuntimeException("$api cannot be reached");
    }
    $answer = json_decode($body, true, 64, JSON_THROW_ON_ERROR);
    if ($answer['E'] !== null) {
        throw new RuntimeException("error {$answer['E']['c']}: {$answer['E']['m']}");
    }
    return $answer['r'];
}

[, $api, $channel, $text] = $argv;
$counts = call($api, '/v1/mesh/publish', ['c' => $channel, 'd' => $text]);
echo "http: success {$counts['s']}, fail {$counts['f']}\n";
