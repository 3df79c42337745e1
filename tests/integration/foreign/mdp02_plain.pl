#!/usr/bin/perl
# A client and a worker of MDP 0.2 as the text of 18/MDP has them, on ZMQ::FFI: no delimiter frame anywhere, many requests at
# once, PARTIALs before the FINAL, a worker that returns on a new socket after DISCONNECT and after a silence. In our own words
# and with none of our own code.
#
# mdp02_plain.pl worker ENDPOINT SERVICE NAME HEARTBEAT_MS BACK_OFF_MS
# mdp02_plain.pl client ENDPOINT SERVICE COUNT TIMEOUT_MS [HELD]
# mdp02_plain.pl flood  ENDPOINT SERVICE COUNT TIMEOUT_MS
# mdp02_plain.pl ask    ENDPOINT SERVICE BODY TIMEOUT_MS
#
# The lines that it prints are described in README.md.
use strict;
use warnings;
use Errno qw(EAGAIN);
use Time::HiRes qw(clock_gettime CLOCK_MONOTONIC);
use ZMQ::FFI qw(ZMQ_DEALER ZMQ_RCVTIMEO);

use constant LIVENESS => 3;
my %TO_WORKER = (REQUEST => "\x02", HEARTBEAT => "\x05", DISCONNECT => "\x06");
my %FROM_WORKER = (READY => "\x01", PARTIAL => "\x03", FINAL => "\x04", HEARTBEAT => "\x05");
my %FROM_BROKER = (PARTIAL => "\x02", FINAL => "\x03");
my $BYTES = "\x00\xff\x04";

$| = 1;
my $context = ZMQ::FFI->new();

sub say_line { print "$_[0]\n" }

sub now_ms { return int(1000 * clock_gettime(CLOCK_MONOTONIC)) }

sub connected {
    my ($endpoint) = @_;
    my $socket = $context->socket(ZMQ_DEALER);
    $socket->set_linger(0);
    $socket->connect($endpoint);
    return $socket;
}

# All frames of the next message, or nothing when none came in time.
sub receive {
    my ($socket, $timeout_ms) = @_;
    $socket->set(ZMQ_RCVTIMEO, 'int', $timeout_ms > 0 ? $timeout_ms : 0);
    $socket->die_on_error(0);
    my $first = $socket->recv();
    $socket->die_on_error(1);
    if ($socket->has_error) {
        die $socket->last_strerror unless $socket->last_errno == EAGAIN;
        return;
    }
    my @frames = ($first);
    push @frames, $socket->recv() while $socket->get(ZMQ::FFI::Constants::ZMQ_RCVMORE(), 'int');
    return @frames;
}

sub expect {
    my ($got, $wanted, $what) = @_;
    die "$what: " . unpack('H*', $got // '') . ", not " . unpack('H*', $wanted) unless defined $got && $got eq $wanted;
}

sub run_worker {
    my ($endpoint, $service, $name, $heartbeat_ms, $back_off_ms) = @_;
    my ($socket, $heartbeat_at_ms, $lost_at_ms);
    my $command = sub { $socket->send_multipart(['MDPW02', $FROM_WORKER{shift()}, @_]) };
    my $connect = sub {
        $socket->close() if $socket;
        $socket = connected($endpoint);
        $command->('READY', $service);
        $heartbeat_at_ms = now_ms() + $heartbeat_ms;
        $lost_at_ms = now_ms() + LIVENESS * $heartbeat_ms;
        say_line('ready');
    };
    $connect->();
    while (1) {
        my @frames = receive($socket, $heartbeat_at_ms - now_ms());
        if (@frames) {
            $lost_at_ms = now_ms() + LIVENESS * $heartbeat_ms;
            expect(shift @frames, 'MDPW02', 'header');
            my $byte = shift @frames;
            if ($byte eq $TO_WORKER{REQUEST}) {
                my ($address, $delimiter, @body) = @frames;
                expect($delimiter, '', 'frame after the address');
                if (@body > 1 && $body[0] eq 'hold' && $body[1] eq $name) {
                    say_line('holding');
                } else {
                    $command->('PARTIAL', $address, '', @body);
                    $command->('FINAL', $address, '', @body, $name);
                }
            } elsif ($byte eq $TO_WORKER{HEARTBEAT}) {
                say_line('heartbeat');
            } else {
                expect($byte, $TO_WORKER{DISCONNECT}, 'command');
                say_line('disconnected');
                $connect->();
            }
        } elsif (now_ms() >= $lost_at_ms) {
            say_line('lost');
            select(undef, undef, undef, $back_off_ms / 1000);
            $connect->();
        }
        if (now_ms() >= $heartbeat_at_ms) {
            $command->('HEARTBEAT');
            $heartbeat_at_ms = now_ms() + $heartbeat_ms;
        }
    }
}

sub body {
    my ($order, $whom, $number) = @_;
    return ($order, $whom, '', $BYTES, $number);
}

sub request {
    my ($socket, $service, @body) = @_;
    $socket->send_multipart(['MDPC02', "\x01", $service, @body]);
}

# ("PARTIAL" or "FINAL", body), or nothing when none came in time.
sub next_part {
    my ($socket, $service, $timeout_ms) = @_;
    my @frames = receive($socket, $timeout_ms) or return;
    expect(shift @frames, 'MDPC02', 'header');
    my $byte = shift @frames;
    expect(shift @frames, $service, 'service');
    return ('PARTIAL', @frames) if $byte eq $FROM_BROKER{PARTIAL};
    expect($byte, $FROM_BROKER{FINAL}, 'command');
    return ('FINAL', @frames);
}

sub same {
    my ($got, $wanted) = @_;
    expect(scalar @$got, scalar @$wanted, 'number of frames');
    expect($got->[$_], $wanted->[$_], "frame $_") for 0 .. $#$wanted;
}

sub report {
    my ($answered, $reconnects, $partials, %tally) = @_;
    say_line(join ' ', "answered $answered reconnects=$reconnects partials=$partials", map { "$_=$tally{$_}" } sort keys %tally);
}

sub run_client {
    my ($endpoint, $service, $count, $timeout_ms, $held) = @_;
    my ($socket, $reconnects, $partials, %tally) = (connected($endpoint), 0, 0);
    for my $i (0 .. $count - 1) {
        my @body = body($held && $i == 0 ? 'hold' : 'echo', $held // '', $i);
        request($socket, $service, @body);
        while (1) {
            my ($kind, @reply) = next_part($socket, $service, $timeout_ms);
            if (!$kind) {
                $socket->close();
                $socket = connected($endpoint);
                ++$reconnects;
                say_line('again');
                request($socket, $service, @body);
            } elsif ($kind eq 'PARTIAL') {
                same(\@reply, \@body);
                ++$partials;
            } else {
                ++$tally{pop @reply};
                same(\@reply, \@body);
                last;
            }
        }
        say_line('serving') if $i == 0;
    }
    report($count, $reconnects, $partials, %tally);
    return 0;
}

# All requests first, then all answers, in any order.
sub run_flood {
    my ($endpoint, $service, $count, $timeout_ms) = @_;
    my ($socket, $answered, $partials, %tally, %seen) = (connected($endpoint), 0, 0);
    request($socket, $service, body('echo', '', $_)) for 0 .. $count - 1;
    while ($answered < $count) {
        my ($kind, @reply) = next_part($socket, $service, $timeout_ms) or last;
        my $name = $kind eq 'FINAL' ? pop @reply : '';
        same(\@reply, [body('echo', '', $reply[-1])]);
        if ($kind eq 'PARTIAL') {
            ++$partials;
            next;
        }
        die "a second answer to $reply[-1]" if $seen{$reply[-1]}++;
        ++$tally{$name};
        ++$answered;
    }
    report($answered, 0, $partials, %tally);
    return $answered == $count ? 0 : 1;
}

sub run_ask {
    my ($endpoint, $service, $body, $timeout_ms) = @_;
    my $socket = connected($endpoint);
    request($socket, $service, $body);
    my ($kind, @reply) = next_part($socket, $service, $timeout_ms) or return 1;
    say_line($reply[0]);
    return 0;
}

my %modes = (worker => \&run_worker, client => \&run_client, flood => \&run_flood, ask => \&run_ask);
my $mode = $modes{shift(@ARGV) // ''} or die "usage: mdp02_plain.pl worker|client|flood|ask ENDPOINT SERVICE ...\n";
exit $mode->(@ARGV);
